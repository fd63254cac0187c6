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
    public ValueTask<OperationResult> GetAsync(ReadOnlySpan<byte> key, ValueTarget target, CallMode mode, CancellationToken cancellationToken, bool withCas = false)
    {
        uint hash = HashRing.Hash(key);
        Node node = cluster.NodeOf(hash);
        if (!node.Suspects.IsEmpty && node.Suspects.Contains(key))
        {
            // Decided here whatever the node's state, which may change before the request is on its way.
            return new ValueTask<OperationResult>(node.State == MemcachedNodeState.Down
                ? OperationResult.Failed(node.Counters.Unavailable)
                : OperationResult.Of(Connections.OperationStatus.Miss));
        }

        var request = new KeyRequest(OperationKind.Get, key) { WithCas = withCas || node.Trust.Floor != 0 };
        return node.Execute(request, hash, target, mode, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<OperationResult> InspectAsync(ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken)
        => Execute(new KeyRequest(OperationKind.Inspect, key), key, ValueTarget.OwnArray, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> TouchAsync(ReadOnlySpan<byte> key, int timeToLive, CallMode mode, CancellationToken cancellationToken)
        => Execute(new KeyRequest(OperationKind.Touch, key, timeToLive), key, ValueTarget.OwnArray, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> DeleteAsync(ReadOnlySpan<byte> key, CallMode mode, CancellationToken cancellationToken)
        => Execute(new KeyRequest(OperationKind.Delete, key), key, ValueTarget.OwnArray, mode, cancellationToken);

    /// <inheritdoc/>
    public void Distrust(ReadOnlySpan<byte> key) => cluster.NodeOf(HashRing.Hash(key)).Suspect(key, mayStillHappen: false);

    /// <inheritdoc/>
    public ValueTask<OperationResult> StoreAsync(ReadOnlySpan<byte> key, in Item item, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        Node node = cluster.NodeOf(hash);

        // A server that has not been heard yet judges for itself, up to what any server can take.
        int itemSizeMax = node.ItemSizeMax == 0 ? LargestItem : node.ItemSizeMax;
        int limit = Math.Min(item.MaximumLength, ItemSize.MaximumValueLength(itemSizeMax, key.Length, item.Flags) - item.Prefix.Length);
        if (item.Value.Length > limit)
        {
            return new ValueTask<OperationResult>(new OperationResult { Status = OperationStatus.TooLarge, Length = Math.Max(0, limit) });
        }

        var request = new StoreRequest(key, item.Prefix, item.Value, item.TimeToLive, item.Flags) { OnlyIfAbsent = item.OnlyIfAbsent };
        return node.Execute(request, hash, ValueTarget.OwnArray, mode, cancellationToken);
    }

    private ValueTask<OperationResult> Execute(in KeyRequest request, ReadOnlySpan<byte> key, ValueTarget target, CallMode mode, CancellationToken cancellationToken)
    {
        uint hash = HashRing.Hash(key);
        return cluster.NodeOf(hash).Execute(request, hash, target, mode, cancellationToken);
    }
}
