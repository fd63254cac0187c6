using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>The requests of a connection for its own sake, for which nobody waits.</summary>
internal static class QuietRequests
{
    /// <summary>Removes what a lease left that was won by a request whose caller is gone.</summary>
    public static void GiveBack(this Connection connection, ReadOnlySpan<byte> key, ulong cas)
    {
        if (connection.TryExecute(
                new ConditionalDeleteRequest(WireKey.Of(key), cas),
                ValueTarget.OwnArray,
                CancellationToken.None,
                out ValueTask<OperationResult> result))
        {
            _ = result.AsTask();
        }
    }

    /// <summary>Sends a barrier (mn), whose answer comes behind all that was asked before.</summary>
    public static void SendBarrier(this Connection connection)
    {
        if (connection.TryExecute(
                new KeyRequest(OperationKind.NoOp, default),
                ValueTarget.OwnArray,
                CancellationToken.None,
                out ValueTask<OperationResult> result))
        {
            _ = result.AsTask();
        }
    }

    /// <summary>Waits until all that was asked before is answered or has timed out.</summary>
    public static async Task BarrierAsync(this Connection connection, ConnectionSettings settings)
    {
        for (int i = 0; i < OperationClock.TicksPerTimeout; i++)
        {
            if (!connection.TryExecute(
                    new KeyRequest(OperationKind.NoOp, default),
                    ValueTarget.OwnArray,
                    CancellationToken.None,
                    out ValueTask<OperationResult> barrier)
                || (await barrier.ConfigureAwait(false)).Failure?.Reason != MemcachedFailureReason.Overloaded)
            {
                return;
            }

            // Too full for a barrier: what fills it has its deadline, and is looked at again in a moment.
            await Task.Delay(settings.Clock.Interval, settings.TimeProvider).ConfigureAwait(false);
        }
    }
}
