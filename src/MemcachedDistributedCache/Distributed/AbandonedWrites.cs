using System.Collections.Concurrent;

namespace MemcachedDistributedCache.Distributed;

/// <summary>
/// The keys of writes whose callers cancelled them, while these writes may still be on their way. A later asynchronous
/// write comes after them, on the same connection. A synchronous one has a connection of its own and may overtake them,
/// so that they undo it. The read of a large value has one too, and is kept off it.
/// </summary>
/// <param name="ioTime">The clock of connections: how long a write is on its way has nothing to do with the application's.</param>
/// <param name="window">How long after it was cancelled a write may still happen.</param>
internal sealed class AbandonedWrites(TimeProvider ioTime, TimeSpan window)
{
    /// <summary>How many more may come before those that are over are forgotten.</summary>
    private const int PruneEvery = 256;

    private readonly ConcurrentDictionary<string, long> _cancelledAt = new(StringComparer.Ordinal);
    private int _added;

    /// <summary>A write to the key may be on its way; costs nothing where none was ever cancelled.</summary>
    public bool MayHold(string key)
        => Volatile.Read(ref _added) != 0 && _cancelledAt.TryGetValue(key, out long at) && ioTime.GetElapsedTime(at) < window;

    /// <summary>Notes a write that was cancelled.</summary>
    public void Add(string key)
    {
        _cancelledAt[key] = ioTime.GetTimestamp();
        if (Interlocked.Increment(ref _added) % PruneEvery == 0)
        {
            foreach (KeyValuePair<string, long> write in _cancelledAt)
            {
                if (ioTime.GetElapsedTime(write.Value) >= window)
                {
                    _cancelledAt.TryRemove(write);
                }
            }
        }
    }
}
