using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>The verbs on a cluster: finds the node to ask for the key and sends the request there.</summary>
internal sealed class ClusterClient(ServerCluster cluster)
{
    /// <summary>memcached takes no larger item, whatever its <c>-I</c>.</summary>
    private const int LargestItem = 1024 * 1024 * 1024;

    private readonly UnknownNode _unknown = new();

    /// <summary>The cluster has been disposed.</summary>
    public bool IsDisposed => cluster.IsDisposed;

    /// <summary>All nodes.</summary>
    public IReadOnlyList<IClusterNode> Nodes => cluster.Nodes;

    /// <summary>The servers.</summary>
    public ServerCluster Cluster => cluster;

    /// <summary>All nodes, as those who administrate them need them.</summary>
    public IReadOnlyList<Node> AllNodes => cluster.Nodes;

    /// <summary>The node that requests with this hash go to now; where no server is known, a node that stands for none.</summary>
    public IClusterNode NodeOf(uint routeHash) => (IClusterNode?)cluster.RouteOf(routeHash).Node ?? _unknown;

    /// <summary>The node that a key's requests go to now; where no server is known, a node that stands for none.</summary>
    public IClusterNode NodeOf(ReadOnlySpan<byte> key) => NodeOf(HashRing.Hash(key));

    /// <summary>Asks one server an administrator's question (see <see cref="AdminCommand"/>), on a connection of its own.</summary>
    /// <exception cref="ArgumentException">There is no such command.</exception>
    public Task<AdminReply> AskAsync(Node node, string command, CancellationToken cancellationToken)
        => IsDisposed ? Task.FromResult(AdminReply.None) : node.AskAsync(AdminCommand.Of(command), cancellationToken);

    /// <summary>Lets the requests that this thread makes from now on go out together; see <see cref="ClusterBatch"/>.</summary>
    public ClusterBatch BeginBatch() => IsDisposed ? default : ClusterBatch.Begin();

    /// <summary>Reads a value with its flags and time to live.</summary>
    public ValueTask<OperationResult> GetAsync(
        WireKey key,
        ReadRequirements needs,
        ValueTarget target,
        CallMode mode,
        CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        return GetAsync(cluster.RouteOf(hash), hash, key, needs, target, mode, cancellationToken);
    }

    /// <summary>The same of a node that the caller names; the key's own where it names none.</summary>
    public ValueTask<OperationResult> GetFromAsync(IClusterNode? node, WireKey key, ReadRequirements needs)
    {
        uint hash = HashRing.Hash(key);
        return GetAsync(RouteTo(node, hash), hash, key, needs, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);
    }

    /// <summary>
    /// Reads an item, placeholders among them, with its flags, time to live and CAS token. Where there is none an empty
    /// one is made that lives <paramref name="seconds"/>, and who made it has won the lease.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="seconds">How long the empty item lives.</param>
    /// <param name="withValue">The value of an item that is there is wanted.</param>
    /// <param name="ownFlags">The client flags of the empty item, if a classic command makes it. A meta command makes it with none.</param>
    /// <param name="cancellationToken">The caller has left.</param>
    public ValueTask<OperationResult> LeaseAsync(
        WireKey key,
        int seconds,
        bool withValue,
        uint ownFlags,
        CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node || node.Consistency.IsUncertain(key))
        {
            return new ValueTask<OperationResult>(Unread(route));
        }

        ValueTask<OperationResult> reading = node.Execute(
            new LeaseRequest(key, seconds, withValue, ownFlags),
            hash,
            ValueTarget.OwnArray,
            CallMode.Async,
            cancellationToken);
        return route.Fence is null ? reading : RouteChecks.MarkAsync(reading, route);
    }

    /// <summary>Reads flags and time to live, and the CAS token if asked for.</summary>
    public ValueTask<OperationResult> InspectAsync(WireKey key, bool withCas, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node)
        {
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        var request = new KeyRequest(OperationKind.Inspect, key) { WithCas = withCas, ReadHash = hash };
        ValueTask<OperationResult> reading = node.Look(request, hash, mode, cancellationToken);
        return route.Fence is null || !withCas ? reading : RouteChecks.MarkAsync(reading, route);
    }

    /// <summary>Sets the time to live and reads the flags and the CAS of the item that was touched.</summary>
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
            ? new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Miss))
            : node.Look(new KeyRequest(OperationKind.Touch, key, timeToLive) { ReadHash = hash }, hash, mode, cancellationToken);
    }

    /// <summary>Deletes an item.</summary>
    public ValueTask<OperationResult> DeleteAsync(WireKey key, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Route route = cluster.RouteOf(hash);
        if (route.Node is not { } node)
        {
            cluster.NoteLostChange();
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        RouteChecks.RecordOnOwner(route, key, mode);
        return node.Execute(new KeyRequest(OperationKind.Delete, key), hash, ValueTarget.OwnArray, mode, cancellationToken);
    }

    /// <summary>Deletes an item if it is in the state of the CAS token; like a store, nothing is sent where that cannot be.</summary>
    public ValueTask<OperationResult> DeleteAsync(WireKey key, CasToken casToken, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        return casToken.IsKnown && cluster.RouteOf(hash).Node is { } node
            ? node.ExecuteOn(casToken.Origin, new ConditionalDeleteRequest(key, casToken.Cas), hash, cancellationToken)
            : new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));
    }

    /// <summary>
    /// Records that a write may have been overtaken, or was given up unseen, so that what the server has under the key
    /// is not read before it has been removed. A write that ends here without a definite answer is recorded already.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="mayOvertakeRemoval">Whether the server may yet act on the write, after what it is asked from now on.</param>
    public void RecordUncertain(WireKey key, bool mayOvertakeRemoval)
    {
        Route route = cluster.RouteOf(HashRing.Hash(key));
        if (route.Node is null)
        {
            cluster.NoteLostChange();
        }

        // The gutter node has been asked for the change too, or would have been.
        route.Node?.Consistency.Record(key, mayOvertakeRemoval, isFailure: !route.IsGutter);
        route.Owner?.Consistency.Record(key, mayOvertakeRemoval);
    }

    /// <summary>
    /// Stores a value. A value that no server would take is <see cref="ResultStatus.TooLarge"/>, and nothing is sent.
    /// Neither is a store whose CAS token is of another connection than the key's present one, or of an item that may
    /// not be read in the place of another node: it is a <see cref="ResultStatus.Conflict"/>.
    /// </summary>
    public ValueTask<OperationResult> StoreAsync(WireKey key, in Item item, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        return StoreAsync(cluster.RouteOf(hash), hash, key, item, mode, cancellationToken);
    }

    /// <summary>The same on a node that the caller names; the key's own where it names none.</summary>
    public ValueTask<OperationResult> StoreOnAsync(IClusterNode? node, WireKey key, in Item item)
    {
        uint hash = HashRing.Hash(key);
        return StoreAsync(RouteTo(node, hash), hash, key, item, CallMode.Async, CancellationToken.None);
    }

    /// <summary>
    /// The result of a read that is not sent, decided whatever the node's state, which may change before it would be on
    /// its way.
    /// </summary>
    public static OperationResult Unread(in Route route) => route.Node switch
    {
        null => ServerCluster.NoServer,
        { State: MemcachedNodeState.Down } down => OperationResult.Failed(down.Counters.Unavailable),
        _ => OperationResult.Of(ResultStatus.Miss),
    };

    /// <summary>The largest item that a node takes. A server that has not been heard yet judges for itself, up to what any can take.</summary>
    public static int ItemSizeMaxOf(Node node) => node.ItemSizeMax == 0 ? LargestItem : node.ItemSizeMax;

    private ValueTask<OperationResult> StoreAsync(
        in Route route,
        uint hash,
        WireKey key,
        in Item item,
        CallMode mode,
        CancellationToken cancellationToken)
    {
        if (item.CasToken is { IsKnown: false })
        {
            return new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));
        }

        if (route.Node is not { } node)
        {
            cluster.NoteLostChange();
            return new ValueTask<OperationResult>(ServerCluster.NoServer);
        }

        int limit = Math.Min(item.MaximumLength, ItemSize.MaximumValueLength(ItemSizeMaxOf(node), key.Length, item.Flags) - item.Prefix.Length);
        if (item.Value.Length > limit)
        {
            node.Counters.AddOversized();
            return new ValueTask<OperationResult>(new OperationResult { Status = ResultStatus.TooLarge, Length = Math.Max(0, limit) });
        }

        if (item.CasToken is { } state && (!route.Admits(state.Cas) || !node.Consistency.Fences.WholeNode.Admits(state.Cas)))
        {
            // What is not to be read is not to be built on either: the key may have been changed elsewhere since. The
            // fence is looked at last: it is there before all is readable again.
            return new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));
        }

        RouteChecks.RecordOnOwner(route, key, mode);
        int timeToLive = route.IsGutter && !item.IsPlaceholder ? Math.Min(item.TimeToLive, cluster.GutterSeconds) : item.TimeToLive;
        var condition = new MetaRequests.StoreCondition(item.CasToken?.Cas ?? 0, item.OnlyIfAbsent, item.ReturnsCas);
        var request = new StoreRequest(key, item.Prefix, item.Value, timeToLive, item.Flags, condition);
        return item.CasToken is { } casToken
            ? node.ExecuteOn(casToken.Origin, request, hash, cancellationToken)
            : node.Execute(request, hash, ValueTarget.OwnArray, mode, cancellationToken);
    }

    /// <summary>The way to the node that the caller has named; the key's own where it named none, or what stands for none.</summary>
    private Route RouteTo(IClusterNode? node, uint hash) => node is Node named ? new Route(named) : cluster.RouteOf(hash);

    private static ValueTask<OperationResult> GetAsync(
        Route route,
        uint hash,
        WireKey key,
        ReadRequirements needs,
        ValueTarget target,
        CallMode mode,
        CancellationToken cancellationToken)
    {
        if (route.Node is not { } node || node.Consistency.IsUncertain(key))
        {
            return new ValueTask<OperationResult>(Unread(route));
        }

        // In the place of another nothing is read that is as old as that anyway.
        bool withCas = (needs & ReadRequirements.CasToken) != ReadRequirements.None;
        CasFence? outage =
            (needs & ReadRequirements.SinceOutage) != ReadRequirements.None && !route.IsGutter && node.Consistency.Fences.SinceOutage.IsSet
                ? node.Consistency.Fences.SinceOutage
                : null;
        bool mayOvertake = mode == CallMode.Async && !withCas && (needs & ReadRequirements.InOrder) == ReadRequirements.None;
        var request = new KeyRequest(OperationKind.Get, key)
        {
            WithCas = withCas || route.Fence is not null || outage is not null || node.Consistency.Fences.WholeNode.IsSet,
            ReadHash = mayOvertake ? hash : 0,
        };
        ValueTask<OperationResult> reading = mayOvertake
            ? node.Read(request, hash, target, cancellationToken)
            : node.Execute(request, hash, target, mode, cancellationToken);
        return route.Fence is null && outage is null ? reading : RouteChecks.ReadAsync(reading, route, outage, target);
    }

    /// <summary>Stands for the node of all keys while no server is known.</summary>
    private sealed class UnknownNode : IClusterNode;
}
