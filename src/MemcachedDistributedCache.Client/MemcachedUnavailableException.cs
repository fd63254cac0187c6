namespace MemcachedDistributedCache;

/// <summary>
/// A memcached server gave no answer to rely on, and the caller wants to hear of that: with the caches where
/// <c>MemcachedCacheOptions.FailureMode</c> is <c>Throw</c>.
/// </summary>
public sealed class MemcachedUnavailableException : Exception
{
    internal MemcachedUnavailableException(
        string operation,
        string server,
        MemcachedFailureReason reason,
        bool wasSent,
        TimeSpan? retryAfter,
        Exception? cause,
        string? detail = null)
        : base($"{operation} on memcached {server} failed: {Describe(reason, detail)}", cause)
    {
        Operation = operation;
        Server = server;
        Reason = reason;
        WasSent = wasSent;
        RetryAfter = retryAfter;
    }

    internal MemcachedUnavailableException(MemcachedFailure failure)
        : this("The operation", failure.Server, failure.Reason, failure.WasSent, failure.RetryAfter, failure.Cause, failure.Detail)
    {
    }

    /// <summary>The cache's operation: <c>Get</c>, <c>Set</c>, <c>Add</c>, <c>Refresh</c> or <c>Remove</c>.</summary>
    public string Operation { get; }

    /// <summary>The server's address as configured.</summary>
    public string Server { get; }

    /// <summary>The kind of failure.</summary>
    public MemcachedFailureReason Reason { get; }

    /// <summary>The request may have reached the server, so that a write may have happened.</summary>
    public bool WasSent { get; }

    /// <summary>
    /// How long until the server is tried again, where it is down: calls for its keys before that fail the same way.
    /// Null where it is not down.
    /// </summary>
    public TimeSpan? RetryAfter { get; }

    private static string Describe(MemcachedFailureReason reason, string? detail)
        => reason switch
        {
            MemcachedFailureReason.Unavailable when detail is not null => $"the server cannot be used: {detail.TrimEnd('.')}.",
            MemcachedFailureReason.Unavailable => "the server cannot be reached.",
            MemcachedFailureReason.ServerError => $"the server answered '{detail}'.",
            MemcachedFailureReason.TimedOut when detail is not null => $"no answer came within {detail}.",
            MemcachedFailureReason.TimedOut => "no answer came within MemcachedCacheOptions.OperationTimeout.",
            MemcachedFailureReason.ConnectionLost => "the connection broke before the answer came.",
            MemcachedFailureReason.Overloaded =>
                "too many requests wait for it; see MemcachedCacheOptions.MaximumPendingOperations and MaximumBufferedBytes.",
            _ => "the server has no memory left for the item (memcached -m, -M).",
        };
}
