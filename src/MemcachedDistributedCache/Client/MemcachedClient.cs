using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Client;

/// <summary>The verbs on a cluster: finds the node that owns the key and sends the request there.</summary>
internal sealed class MemcachedClient(ServerCluster cluster) : IMemcachedClient
{
    /// <summary>memcached takes no larger item, whatever its <c>-I</c>.</summary>
    private const int LargestItem = 1024 * 1024 * 1024;

    /// <inheritdoc/>
    public bool IsDisposed => cluster.IsDisposed;

    /// <inheritdoc/>
    public IReadOnlyList<object> Nodes => cluster.Nodes;

    /// <inheritdoc/>
    public object NodeOf(ReadOnlySpan<byte> key) => cluster.NodeOf(HashRing.Hash(key));

    /// <inheritdoc/>
    public ValueTask<OperationResult> GetAsync(ReadOnlySpan<byte> key, ValueTarget target, CallMode mode, CancellationToken cancellationToken, bool withCas = false, object? node = null)
    {
        uint hash = HashRing.Hash(key);
        Node owner = node as Node ?? cluster.NodeOf(hash);
        if (IsInDoubt(owner, key, out OperationResult doubted))
        {
            return new ValueTask<OperationResult>(doubted);
        }

        var request = new KeyRequest(OperationKind.Get, key) { WithCas = withCas || owner.Trust.Floor != 0 };
        return owner.Execute(request, hash, target, mode, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> LeaseAsync(ReadOnlySpan<byte> key, int seconds, bool withValue, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Node node = cluster.NodeOf(hash);
        return IsInDoubt(node, key, out OperationResult doubted)
            ? new ValueTask<OperationResult>(doubted)
            : node.Execute(new LeaseRequest(key, seconds, withValue), hash, ValueTarget.OwnArray, CallMode.Async, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> InspectAsync(ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken, bool withCas = false)
        => Execute(new KeyRequest(OperationKind.Inspect, key) { WithCas = withCas }, key, ValueTarget.OwnArray, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> TouchAsync(ReadOnlySpan<byte> key, int timeToLive, CallMode mode, CancellationToken cancellationToken)
        => Execute(new KeyRequest(OperationKind.Touch, key, timeToLive), key, ValueTarget.OwnArray, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> DeleteAsync(ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken)
        => Execute(new KeyRequest(OperationKind.Delete, key), key, ValueTarget.OwnArray, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> DeleteAsync(ReadOnlySpan<byte> key, ItemTicket ticket, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        return ticket.IsKnown
            ? cluster.NodeOf(hash).ExecuteOn(ticket.Origin, new ConditionalDeleteRequest(key, ticket.Cas), hash, cancellationToken)
            : new ValueTask<OperationResult>(OperationResult.Of(OperationStatus.Conflict));
    }

    /// <inheritdoc/>
    public void Distrust(ReadOnlySpan<byte> key, object? node = null)
        => (node as Node ?? cluster.NodeOf(HashRing.Hash(key))).Suspect(key, mayStillHappen: false);

    /// <inheritdoc/>
    public ValueTask<OperationResult> StoreAsync(ReadOnlySpan<byte> key, in Item item, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Node node = item.Node as Node ?? cluster.NodeOf(hash);
        if (item.Ticket is { IsKnown: false })
        {
            return new ValueTask<OperationResult>(OperationResult.Of(OperationStatus.Conflict));
        }

        // A server that has not been heard yet judges for itself, up to what any server can take.
        int itemSizeMax = node.ItemSizeMax == 0 ? LargestItem : node.ItemSizeMax;
        int limit = Math.Min(item.MaximumLength, ItemSize.MaximumValueLength(itemSizeMax, key.Length, item.Flags) - item.Prefix.Length);
        if (item.Value.Length > limit)
        {
            return new ValueTask<OperationResult>(new OperationResult { Status = OperationStatus.TooLarge, Length = Math.Max(0, limit) });
        }

        var condition = new MetaRequests.StoreCondition(item.Ticket?.Cas ?? 0, item.OnlyIfAbsent, item.ReturnsCas);
        var request = new StoreRequest(key, item.Prefix, item.Value, item.TimeToLive, item.Flags, condition);
        return item.Ticket is { } ticket
            ? node.ExecuteOn(ticket.Origin, request, hash, cancellationToken)
            : node.Execute(request, hash, ValueTarget.OwnArray, mode, cancellationToken);
    }

    /// <summary>Whether a key may not be read now; decided whatever the node's state, which may change before the request is on its way.</summary>
    private static bool IsInDoubt(Node node, ReadOnlySpan<byte> key, out OperationResult result)
    {
        result = default;
        if (node.Suspects.IsEmpty || !node.Suspects.Contains(key))
        {
            return false;
        }

        result = node.State == MemcachedNodeState.Down
            ? OperationResult.Failed(node.Counters.Unavailable)
            : OperationResult.Of(OperationStatus.Miss);
        return true;
    }

    private ValueTask<OperationResult> Execute(in KeyRequest request, ReadOnlySpan<byte> key, ValueTarget target, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        return cluster.NodeOf(hash).Execute(request, hash, target, mode, cancellationToken);
    }
}
