using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>
/// Checks and records for keys whose requests do not go the plain way: to a gutter node, or to a node that has not
/// owned the key before.
/// </summary>
internal static class RouteChecks
{
    /// <summary>
    /// A change that goes to a gutter node leaves the owner with what it had, which must not be read when it is back. A
    /// blocked caller may have sent an earlier attempt there, on a connection that the removal does not follow.
    /// </summary>
    public static void RecordOnOwner(in Route route, ReadOnlySpan<byte> key, CallMode mode)
        => route.Owner?.Consistency.Record(key, mayOvertakeRemoval: mode == CallMode.Sync, isFailure: false);

    /// <summary>Takes what is older than the node's time for this key, or than its last outage where that matters, for a miss.</summary>
    public static async ValueTask<OperationResult> ReadAsync(ValueTask<OperationResult> reading, Route route, CasFence? outage, ValueTarget target)
    {
        OperationResult result = await reading.ConfigureAwait(false);
        if (result.Status != ResultStatus.Success)
        {
            return result;
        }

        if (outage?.Admits(result.Cas) != false && Admits(route, result))
        {
            return route.IsGutter ? result with { IsOfGutter = true } : result;
        }

        if (target == ValueTarget.PooledArray && result.Value is { Length: > 0 } pooled)
        {
            ValueArrays.Return(pooled);
        }

        return OperationResult.Of(ResultStatus.Miss);
    }

    /// <summary>Marks what is older as not to be read, for those who replace it.</summary>
    public static async ValueTask<OperationResult> MarkAsync(ValueTask<OperationResult> reading, Route route)
    {
        OperationResult result = await reading.ConfigureAwait(false);
        return result.Status != ResultStatus.Success || result.Lease != LeaseState.None || Admits(route, result)
            ? result
            : result with
            {
                IsUnreadable = true,
            };
    }

    private static bool Admits(in Route route, in OperationResult result)
    {
        if (!route.Admits(result.Cas))
        {
            return false;
        }

        if (route.IsGutter)
        {
            route.Node!.Counters.AddGutterHit();
        }

        return true;
    }
}
