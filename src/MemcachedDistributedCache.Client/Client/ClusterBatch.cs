using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Client;

/// <summary>
/// The requests that a thread makes until the batch is disposed go out in one send to each connection. A batch stays on the stack of its
/// thread, so that no await can leave it open. Requests of callers who block are sent at once, as each waits for its own answer.
/// </summary>
internal readonly ref struct ClusterBatch
{
    private readonly Cork? _cork;

    private ClusterBatch(Cork? cork) => _cork = cork;

    /// <summary>Begins a batch; within another it is a part of that.</summary>
    public static ClusterBatch Begin() => new(Cork.Set());

    /// <summary>Sends what has gathered.</summary>
    public void Dispose() => _cork?.Pull();
}
