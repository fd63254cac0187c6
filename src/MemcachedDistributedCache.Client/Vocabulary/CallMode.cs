namespace MemcachedDistributedCache.Vocabulary;

/// <summary>How a caller waits.</summary>
internal enum CallMode : byte
{
    /// <summary>Awaits.</summary>
    Async,

    /// <summary>Blocks its thread; what it waits for must not need the thread pool.</summary>
    Sync,
}

/// <summary>Where a value that is read goes.</summary>
internal enum ValueTarget : byte
{
    /// <summary>An array of exactly the value's length, the caller's to keep.</summary>
    OwnArray,

    /// <summary>An array of the shared pool, which the caller returns.</summary>
    PooledArray,
}
