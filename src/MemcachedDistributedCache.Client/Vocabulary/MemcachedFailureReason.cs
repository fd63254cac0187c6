namespace MemcachedDistributedCache;

/// <summary>Why an operation got no answer from its server.</summary>
public enum MemcachedFailureReason
{
    /// <summary>The server is down, or its connection could not be opened. Nothing was sent.</summary>
    Unavailable,

    /// <summary>No answer came within <c>OperationTimeout</c>. A write may have happened.</summary>
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
