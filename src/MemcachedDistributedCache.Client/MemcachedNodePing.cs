using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache;

/// <summary>One server's answer to <c>MemcachedCache.PingAsync</c>.</summary>
public sealed record MemcachedNodePing
{
    internal MemcachedNodePing()
    {
    }

    /// <summary>The server's address as configured, <c>host:port</c> or <c>unix:path</c>.</summary>
    public required string Server { get; init; }

    /// <summary>The version that the server reported; null before it has answered, and where a proxy does not tell.</summary>
    public required string? ServerVersion { get; init; }

    /// <summary>How long the answer took, or null where there was none.</summary>
    public required TimeSpan? RoundTrip { get; init; }

    /// <summary>Why there was no answer, or null where there was one.</summary>
    public required MemcachedFailureReason? Failure { get; init; }

    internal static async Task<MemcachedNodePing> AskAsync(Node node, TimeSpan timeout, TimeProvider ioTime, CancellationToken cancellationToken)
    {
        if (node.State == MemcachedNodeState.Down)
        {
            // Known already, and no error of an operation.
            return new MemcachedNodePing
            {
                Server = node.Counters.Server,
                ServerVersion = node.ServerVersion,
                RoundTrip = null,
                Failure = MemcachedFailureReason.Unavailable,
            };
        }

        using var limit = new CancellationTokenSource(timeout, ioTime);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        long started = ioTime.GetTimestamp();
        OperationResult result = await node.Execute(
                new KeyRequest(OperationKind.NoOp, default),
                0,
                ValueTarget.OwnArray,
                CallMode.Async,
                either.Token)
            .ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        MemcachedFailureReason? failure = result.Status switch
        {
            ResultStatus.Success => null,
            ResultStatus.Canceled => MemcachedFailureReason.TimedOut,
            _ => result.Failure?.Reason ?? MemcachedFailureReason.Unavailable,
        };
        return new MemcachedNodePing
        {
            Server = node.Counters.Server,
            ServerVersion = node.ServerVersion,
            RoundTrip = failure is null ? ioTime.GetElapsedTime(started) : null,
            Failure = failure,
        };
    }
}
