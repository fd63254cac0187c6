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
    public IReadOnlyList<object> Nodes => cluster.Nodes;

    /// <inheritdoc/>
    public object NodeOf(ReadOnlySpan<byte> key) => cluster.RouteOf(HashRing.Hash(key)).Node ?? (object)cluster;

    /// <inheritdoc/>
    public ValueTask<OperationResult> GetAsync(WireKey key, ValueTarget target, CallMode mode, CancellationToken cancellationToken, bool withCas = false, object? node = null, bool sinceOutage = false, bool inOrder = false)
    {
        uint hash = HashRing.Hash(key);
        Route route = RouteOf(hash, node);
        if (route.Node is not { } asked || asked.IsUncertain(key))
        {
            return new ValueTask<OperationResult>(Unread(route));
        }

        // In the place of another nothing is read that is as old as that anyway.
        CasFence? outage = sinceOutage && !route.IsGutter && asked.Fences.SinceOutage.IsSet ? asked.Fences.SinceOutage : null;
        bool mayOvertake = mode == CallMode.Async && !withCas && !inOrder;
        var request = new KeyRequest(OperationKind.Get, key) { WithCas = withCas || route.Fence is not null || outage is not null || asked.Fence.Value != 0, ReadHash = mayOvertake ? hash : 0 };
        ValueTask<OperationResult> reading = mayOvertake ? asked.Read(request, hash, target, cancellationToken) : asked.Execute(request, hash, target, mode, cancellationToken);
        return route.Fence is null && outage is null ? reading : RouteChecks.ReadAsync(reading, route, outage, target);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> LeaseAsync(WireKey key, int seconds, bool withValue, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node || node.IsUncertain(key))
        {
            return new ValueTask<OperationResult>(Unread(route));
        }

        ValueTask<OperationResult> reading = node.Execute(new LeaseRequest(key, seconds, withValue), hash, ValueTarget.OwnArray, CallMode.Async, cancellationToken);
        return route.Fence is null ? reading : RouteChecks.MarkAsync(reading, route);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> InspectAsync(WireKey key, CallMode mode, CancellationToken cancellationToken, bool withCas = false)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node)
        {
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        ValueTask<OperationResult> reading = node.Execute(new KeyRequest(OperationKind.Inspect, key) { WithCas = withCas }, hash, ValueTarget.OwnArray, mode, cancellationToken);
        return route.Fence is null || !withCas ? reading : RouteChecks.MarkAsync(reading, route);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> TouchAsync(WireKey key, int timeToLive, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node)
        {
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        // What is held for a node that is down has a short life, which nothing makes longer.
        return route.IsGutter
            ? new ValueTask<OperationResult>(OperationResult.Of(OperationStatus.Miss))
            : node.Execute(new KeyRequest(OperationKind.Touch, key, timeToLive), hash, ValueTarget.OwnArray, mode, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> DeleteAsync(WireKey key, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node)
        {
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        RouteChecks.RecordOnOwner(route, key, mode);
        ValueTask<OperationResult> deleting = node.Execute(new KeyRequest(OperationKind.Delete, key), hash, ValueTarget.OwnArray, mode, cancellationToken);
        return route.IsGutter ? RouteChecks.RecordUncertainAsync(deleting, node, key.ToArray(), mode) : deleting;
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> DeleteAsync(WireKey key, CasToken casToken, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        return casToken.IsKnown && cluster.RouteOf(hash).Node is { } node
            ? node.ExecuteOn(casToken.Origin, new ConditionalDeleteRequest(key, casToken.Cas), hash, cancellationToken)
            : new ValueTask<OperationResult>(OperationResult.Of(OperationStatus.Conflict));
    }

    /// <inheritdoc/>
    public void RecordUncertain(WireKey key, bool mayOvertakeRemoval = false, object? node = null)
    {
        // The gutter node has been asked for the change too, or would have been.
        Route route = RouteOf(HashRing.Hash(key), node);
        if (route.Node is null)
        {
            cluster.NoteLostChange();
        }

        route.Node?.RecordUncertain(key, mayOvertakeRemoval, isFailure: !route.IsGutter);
        route.Owner?.RecordUncertain(key, mayOvertakeRemoval);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> StoreAsync(WireKey key, in Item item, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = RouteOf(hash, item.Node);
        if (item.CasToken is { IsKnown: false })
        {
            return new ValueTask<OperationResult>(OperationResult.Of(OperationStatus.Conflict));
        }

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

        if (item.CasToken is { } state && (!route.Admits(state.Cas) || node.UncertainWrites.AreAllUncertain || node.Fence.Excludes(state.Cas)))
        {
            // What is not to be read is not to be built on either: the key may have been changed elsewhere since. The fence is looked at last: it is there before all
            // is readable again.
            return new ValueTask<OperationResult>(OperationResult.Of(OperationStatus.Conflict));
        }

        RouteChecks.RecordOnOwner(route, key, mode);
        int timeToLive = route.IsGutter && !item.IsPlaceholder ? Math.Min(item.TimeToLive, cluster.GutterSeconds) : item.TimeToLive;
        var condition = new MetaRequests.StoreCondition(item.CasToken?.Cas ?? 0, item.OnlyIfAbsent, item.ReturnsCas);
        var request = new StoreRequest(key, item.Prefix, item.Value, timeToLive, item.Flags, condition);
        ValueTask<OperationResult> storing = item.CasToken is { } casToken
            ? node.ExecuteOn(casToken.Origin, request, hash, cancellationToken)
            : node.Execute(request, hash, ValueTarget.OwnArray, mode, cancellationToken);
        return route.IsGutter ? RouteChecks.RecordUncertainAsync(storing, node, key.ToArray(), mode) : storing;
    }

    /// <summary>What becomes of a read that is not sent: decided whatever the node's state, which may change before it would be on its way.</summary>
    private static OperationResult Unread(in Route route) => route.Node switch
    {
        null => ServerCluster.NoServer,
        { State: MemcachedNodeState.Down } down => OperationResult.Failed(down.Counters.Unavailable),
        _ => OperationResult.Of(OperationStatus.Miss),
    };

    /// <summary>The way of a key's requests, or to the node that the caller has named.</summary>
    private Route RouteOf(uint hash, object? node) => node is Node named ? new Route(named) : cluster.RouteOf(hash);
}
