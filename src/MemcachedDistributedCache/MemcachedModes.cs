namespace MemcachedDistributedCache;

/// <summary>What callers see when a memcached server gives no answer.</summary>
public enum MemcachedFailureMode
{
    /// <summary>A read is a miss, a write is dropped; both are counted. The application goes on without its cache. The default.</summary>
    Degrade,

    /// <summary>The call throws a <see cref="MemcachedUnavailableException"/>.</summary>
    Throw,
}

/// <summary>Who serves the keys of a server that is down.</summary>
public enum MemcachedFailover
{
    /// <summary>Nobody: they are misses until it is back.</summary>
    None,

    /// <summary>
    /// The next server in order that is up, for a short time to live (<see cref="MemcachedCacheOptions.GutterTimeToLive"/>). The database behind
    /// the cache is spared. The default.
    /// </summary>
    Gutter,
}

/// <summary>What becomes of a value that is larger than the limit. In either case nothing stays under its key.</summary>
public enum MemcachedOversizeBehavior
{
    /// <summary>The call throws a <see cref="MemcachedValueTooLargeException"/>. The default.</summary>
    Throw,

    /// <summary>The value is not stored, and a warning with its size and the limit is logged.</summary>
    Skip,
}

/// <summary>Why an operation got no answer from its server.</summary>
public enum MemcachedFailureReason
{
    /// <summary>The server is down, or its connection could not be opened. Nothing was sent.</summary>
    Unavailable,

    /// <summary>No answer came within <see cref="MemcachedCacheOptions.OperationTimeout"/>. A write may have happened.</summary>
    TimedOut,

    /// <summary>The connection broke after the request was sent. A write may have happened.</summary>
    ConnectionLost,

    /// <summary>Too much is waiting for this server already. Nothing was sent.</summary>
    Overloaded,

    /// <summary>The server has no memory for the item and may not evict others. Nothing was stored.</summary>
    ServerOutOfMemory,

    /// <summary>The server answered the request with an error, which the exception quotes. A write may have happened.</summary>
    ServerError,
}

/// <summary>Whether a server is worth asking.</summary>
public enum MemcachedNodeState
{
    /// <summary>It has not answered yet since the cache was made.</summary>
    Unknown,

    /// <summary>It has answered.</summary>
    Up,

    /// <summary>It cannot be reached; operations on its keys end at once, and it is tried in the background.</summary>
    Down,
}
