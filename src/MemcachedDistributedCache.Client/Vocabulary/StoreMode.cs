namespace MemcachedDistributedCache.Vocabulary;

/// <summary>The way of a store with the item that is there, or is not.</summary>
internal enum StoreMode : byte
{
    /// <summary>Takes its place.</summary>
    Set,

    /// <summary>Stores only where there is none.</summary>
    Add,

    /// <summary>Stores only where there is one.</summary>
    Replace,

    /// <summary>Puts the value behind that of the item, whose client flags and time to live stay.</summary>
    Append,

    /// <summary>Puts the value before that of the item, whose client flags and time to live stay.</summary>
    Prepend,
}
