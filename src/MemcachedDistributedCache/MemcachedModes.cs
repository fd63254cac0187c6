namespace MemcachedDistributedCache;

/// <summary>The behaviour towards callers when a memcached server gives no answer.</summary>
public enum MemcachedFailureMode
{
    /// <summary>A read is a miss, a write is dropped; both are counted. The application goes on without its cache. The default.</summary>
    Degrade,

    /// <summary>The call throws a <see cref="MemcachedUnavailableException"/>.</summary>
    Throw,
}

/// <summary>The treatment of a value that is larger than the limit. In either case nothing stays under its key.</summary>
public enum MemcachedOversizeBehavior
{
    /// <summary>The call throws a <see cref="MemcachedValueTooLargeException"/>. The default.</summary>
    Throw,

    /// <summary>The value is not stored, and a warning with its size and the limit is logged.</summary>
    Skip,
}
