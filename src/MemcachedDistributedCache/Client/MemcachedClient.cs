using System.Buffers;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using OperationStatus = MemcachedDistributedCache.Connections.OperationStatus;

namespace MemcachedDistributedCache.Client;

/// <summary>The verbs on a cluster: finds the node to ask for the key and sends the request there.</summary>
internal sealed class MemcachedClient(ServerCluster cluster) : IMemcachedClient
{
    /// <summary>memcached takes no larger item, whatever its <c>-I</c>.</summary>
    private const int LargestItem = 1024 * 1024 * 1024;

    /// <inheritdoc/>
    public bool IsDisposed => cluster.IsDisposed;

    /// <inheritdoc/>
    public ValueTask<OperationResult> GetAsync(ReadOnlySpan<byte> key, ValueTarget target, CallMode mode, CancellationToken cancellationToken, bool withCas = false)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node)
        {
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        if (!node.Suspects.IsEmpty && node.Suspects.Contains(key))
        {
            // Decided here whatever the node's state, which may change before the request is on its way.
            return new ValueTask<OperationResult>(node.State == MemcachedNodeState.Down
                ? OperationResult.Failed(node.Counters.Unavailable)
                : OperationResult.Of(OperationStatus.Miss));
        }

        var request = new KeyRequest(OperationKind.Get, key) { WithCas = withCas || route.Floor is not null || node.Trust.Floor != 0 };
        ValueTask<OperationResult> reading = node.Execute(request, hash, target, mode, cancellationToken);
        return route.Floor is null ? reading : CheckAsync(reading, route, target);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> InspectAsync(ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        return cluster.RouteOf(hash).Node?.Execute(new KeyRequest(OperationKind.Inspect, key), hash, ValueTarget.OwnArray, mode, cancellationToken)
            ?? new ValueTask<OperationResult>(ServerCluster.NoServer);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> TouchAsync(ReadOnlySpan<byte> key, int timeToLive, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node)
        {
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        // What is held for a node that is down has a short life, which nothing makes longer.
        return route.IsStandIn
            ? new ValueTask<OperationResult>(OperationResult.Of(OperationStatus.Miss))
            : node.Execute(new KeyRequest(OperationKind.Touch, key, timeToLive), hash, ValueTarget.OwnArray, mode, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> DeleteAsync(ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node)
        {
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        NoteDetour(route, key, mode);
        ValueTask<OperationResult> deleting = node.Execute(new KeyRequest(OperationKind.Delete, key), hash, ValueTarget.OwnArray, mode, cancellationToken);
        return route.IsStandIn ? NoteDoubtAsync(deleting, route.Node, key.ToArray(), mode) : deleting;
    }

    /// <inheritdoc/>
    public void Distrust(ReadOnlySpan<byte> key, bool mayStillHappen)
    {
        // Who stands in has been asked for the change too, or would have been.
        Route route = cluster.RouteOf(HashRing.Hash(key));
        route.Node?.Suspect(key, mayStillHappen);
        route.Owner?.Suspect(key, mayStillHappen);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> StoreAsync(ReadOnlySpan<byte> key, in Item item, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node)
        {
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        // A server that has not been heard yet judges for itself, up to what any server can take.
        int itemSizeMax = node.ItemSizeMax == 0 ? LargestItem : node.ItemSizeMax;
        int limit = Math.Min(item.MaximumLength, ItemSize.MaximumValueLength(itemSizeMax, key.Length, item.Flags) - item.Prefix.Length);
        if (item.Value.Length > limit)
        {
            node.Counters.AddOversized();
            return new ValueTask<OperationResult>(new OperationResult { Status = OperationStatus.TooLarge, Length = Math.Max(0, limit) });
        }

        NoteDetour(route, key, mode);
        int timeToLive = route.IsStandIn ? Math.Min(item.TimeToLive, cluster.StandInSeconds) : item.TimeToLive;
        var request = new StoreRequest(key, item.Prefix, item.Value, timeToLive, item.Flags);
        ValueTask<OperationResult> storing = node.Execute(request, hash, ValueTarget.OwnArray, mode, cancellationToken);
        return route.IsStandIn ? NoteDoubtAsync(storing, route.Node, key.ToArray(), mode) : storing;
    }

    /// <summary>
    /// A change that goes to a stand-in leaves the owner with what it had, which must not be read when it is back. A blocked caller may have sent an
    /// earlier attempt there, on a connection that the removal does not follow.
    /// </summary>
    private static void NoteDetour(in Route route, ReadOnlySpan<byte> key, CallMode mode) => route.Owner?.Suspect(key, mayStillHappen: mode == CallMode.Sync);

    /// <summary>A change that the stand-in did not make leaves it too with what it had.</summary>
    private static async ValueTask<OperationResult> NoteDoubtAsync(ValueTask<OperationResult> changing, Node standIn, byte[] key, CallMode mode)
    {
        OperationResult result = await changing.ConfigureAwait(false);
        if (result.LeavesDoubt)
        {
            standIn.Suspect(key, result.MayStillHappen(mode));
        }

        return result;
    }

    /// <summary>Takes what is older than the node's time for this key for a miss.</summary>
    private static async ValueTask<OperationResult> CheckAsync(ValueTask<OperationResult> reading, Route route, ValueTarget target)
    {
        OperationResult result = await reading.ConfigureAwait(false);
        if (result.Status != OperationStatus.Success)
        {
            return result;
        }

        if (route.Floor!.Admits(result.Cas))
        {
            if (route.IsStandIn)
            {
                route.Node!.Counters.AddStandInHit();
            }

            return result;
        }

        if (target == ValueTarget.PooledArray && result.Value is { Length: > 0 } pooled)
        {
            ArrayPool<byte>.Shared.Return(pooled);
        }

        return OperationResult.Of(OperationStatus.Miss);
    }
}
