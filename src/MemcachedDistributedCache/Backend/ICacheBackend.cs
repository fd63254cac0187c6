using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Backend;

/// <summary>
/// The cluster as the caches see it. Keys are legal on the wire by their type. With <see cref="CallMode.Sync"/> the
/// result is there when the call returns. A server's failure is a result, never an exception. Another client library
/// can stand below the caches by this interface alone.
/// </summary>
internal interface ICacheBackend
{
    /// <inheritdoc cref="ClusterClient.IsDisposed"/>
    bool IsDisposed { get; }

    /// <inheritdoc cref="ClusterClient.Nodes"/>
    IReadOnlyList<IClusterNode> Nodes { get; }

    /// <inheritdoc cref="ClusterClient.NodeOf(ReadOnlySpan{byte})"/>
    IClusterNode NodeOf(ReadOnlySpan<byte> key);

    /// <inheritdoc cref="ClusterClient.GetAsync(WireKey, ReadRequirements, ValueTarget, CallMode, CancellationToken)"/>
    ValueTask<OperationResult> GetAsync(WireKey key, ReadRequirements needs, ValueTarget target, CallMode mode, CancellationToken cancellationToken);

    /// <inheritdoc cref="ClusterClient.GetFromAsync"/>
    ValueTask<OperationResult> GetFromAsync(IClusterNode? node, WireKey key, ReadRequirements needs);

    /// <inheritdoc cref="ClusterClient.LeaseAsync"/>
    ValueTask<OperationResult> LeaseAsync(
        WireKey key,
        int seconds,
        bool withValue,
        uint ownFlags,
        CancellationToken cancellationToken);

    /// <inheritdoc cref="ClusterClient.InspectAsync"/>
    ValueTask<OperationResult> InspectAsync(WireKey key, bool withCas, CallMode mode, CancellationToken cancellationToken);

    /// <inheritdoc cref="ClusterClient.StoreAsync(WireKey, in Item, CallMode, CancellationToken)"/>
    ValueTask<OperationResult> StoreAsync(WireKey key, in Item item, CallMode mode, CancellationToken cancellationToken);

    /// <inheritdoc cref="ClusterClient.StoreOnAsync"/>
    ValueTask<OperationResult> StoreOnAsync(IClusterNode? node, WireKey key, in Item item);

    /// <inheritdoc cref="ClusterClient.TouchAsync"/>
    ValueTask<OperationResult> TouchAsync(WireKey key, int timeToLive, CallMode mode, CancellationToken cancellationToken);

    /// <inheritdoc cref="ClusterClient.DeleteAsync(WireKey, CallMode, CancellationToken)"/>
    ValueTask<OperationResult> DeleteAsync(WireKey key, CallMode mode, CancellationToken cancellationToken);

    /// <inheritdoc cref="ClusterClient.DeleteAsync(WireKey, CasToken, CancellationToken)"/>
    ValueTask<OperationResult> DeleteAsync(WireKey key, CasToken casToken, CancellationToken cancellationToken);

    /// <inheritdoc cref="ClusterClient.RecordUncertain(WireKey, bool)"/>
    void RecordUncertain(WireKey key, bool mayOvertakeRemoval);
}
