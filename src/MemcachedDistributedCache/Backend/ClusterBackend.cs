using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Backend;

/// <summary>The package's own engine below the caches.</summary>
internal sealed class ClusterBackend(ClusterClient client) : ICacheBackend
{
    /// <inheritdoc/>
    public bool IsDisposed => client.IsDisposed;

    /// <inheritdoc/>
    public IReadOnlyList<IClusterNode> Nodes => client.Nodes;

    /// <inheritdoc/>
    public IClusterNode NodeOf(ReadOnlySpan<byte> key) => client.NodeOf(key);

    /// <inheritdoc/>
    public ValueTask<OperationResult> GetAsync(
        WireKey key,
        ReadRequirements needs,
        ValueTarget target,
        CallMode mode,
        CancellationToken cancellationToken)
        => client.GetAsync(key, needs, target, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> GetFromAsync(IClusterNode? node, WireKey key, ReadRequirements needs) => client.GetFromAsync(node, key, needs);

    /// <inheritdoc/>
    public ValueTask<OperationResult> LeaseAsync(
        WireKey key,
        int seconds,
        bool withValue,
        uint ownFlags,
        CancellationToken cancellationToken)
        => client.LeaseAsync(key, seconds, withValue, ownFlags, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> InspectAsync(WireKey key, bool withCas, CallMode mode, CancellationToken cancellationToken)
        => client.InspectAsync(key, withCas, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> StoreAsync(WireKey key, in Item item, CallMode mode, CancellationToken cancellationToken)
        => client.StoreAsync(key, item, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> StoreOnAsync(IClusterNode? node, WireKey key, in Item item) => client.StoreOnAsync(node, key, item);

    /// <inheritdoc/>
    public ValueTask<OperationResult> TouchAsync(WireKey key, int timeToLive, CallMode mode, CancellationToken cancellationToken)
        => client.TouchAsync(key, timeToLive, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> DeleteAsync(WireKey key, CallMode mode, CancellationToken cancellationToken)
        => client.DeleteAsync(key, mode, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OperationResult> DeleteAsync(WireKey key, CasToken casToken, CancellationToken cancellationToken)
        => client.DeleteAsync(key, casToken, cancellationToken);

    /// <inheritdoc/>
    public void RecordUncertain(WireKey key, bool mayOvertakeRemoval) => client.RecordUncertain(key, mayOvertakeRemoval);
}
