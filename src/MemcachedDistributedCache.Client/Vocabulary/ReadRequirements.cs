namespace MemcachedDistributedCache.Vocabulary;

/// <summary>Requirements of a read besides the value.</summary>
[Flags]
internal enum ReadRequirements : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The CAS token of the item. It is good for the key's own connection, so that one is asked.</summary>
    CasToken = 1,

    /// <summary>An item from before the node was last down is a miss.</summary>
    SinceOutage = 2,

    /// <summary>
    /// The read comes after all that was asked of its key before. Else a large value may be read on a connection of its
    /// own, and so overtake that.
    /// </summary>
    InOrder = 4,
}
