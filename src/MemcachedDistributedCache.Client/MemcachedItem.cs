namespace MemcachedDistributedCache;

/// <summary>An item with what the server knows of it.</summary>
/// <typeparam name="T">The type of the value.</typeparam>
public sealed class MemcachedItem<T>
{
    internal MemcachedItem(T value) => Value = value;

    /// <summary>The value.</summary>
    public T Value { get; }

    /// <summary>The state that a compare-and-set or a compare-and-delete is held against.</summary>
    public MemcachedCas Cas { get; internal init; }

    /// <summary>The client flags, which tell the kind of the value.</summary>
    public uint Flags { get; internal init; }

    /// <summary>The length of the value in bytes, as it is stored.</summary>
    public int Size { get; internal init; }

    /// <summary>
    /// How long the item lives from now on, in whole seconds; <see cref="Timeout.InfiniteTimeSpan"/> for one that has no end. Null
    /// where the server is asked by classic commands, none of which tells.
    /// </summary>
    public TimeSpan? TimeToLive { get; internal init; }

    /// <summary>How long ago somebody last read the item, in whole seconds; null where classic commands do not tell.</summary>
    public TimeSpan? LastAccess { get; internal init; }

    /// <summary>Somebody has read the item before; null where classic commands do not tell.</summary>
    public bool? WasHitBefore { get; internal init; }

    /// <summary>Somebody has marked the item as stale (<see cref="IMemcachedClient.MarkStaleAsync"/>).</summary>
    public bool IsStale { get; internal init; }

    /// <summary>Of all who read the stale item, this caller was the first, and is to replace it.</summary>
    public bool IsFirstToSeeStale { get; internal init; }
}
