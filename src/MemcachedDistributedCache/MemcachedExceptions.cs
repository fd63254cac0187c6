namespace MemcachedDistributedCache;

/// <summary>
/// A memcached server gave no answer to rely on, and <see cref="MemcachedCacheOptions.FailureMode"/> is
/// <see cref="MemcachedFailureMode.Throw"/>.
/// </summary>
public sealed class MemcachedUnavailableException : Exception
{
    internal MemcachedUnavailableException(string operation, string server, MemcachedFailureReason reason, bool wasSent, TimeSpan? retryAfter, Exception? cause, string? detail = null)
        : base($"{operation} on memcached {server} failed: {Describe(reason, detail)}", cause)
    {
        Operation = operation;
        Server = server;
        Reason = reason;
        WasSent = wasSent;
        RetryAfter = retryAfter;
    }

    /// <summary>The cache's operation: <c>Get</c>, <c>Set</c>, <c>Add</c>, <c>Refresh</c> or <c>Remove</c>.</summary>
    public string Operation { get; }

    /// <summary>The server's address as configured.</summary>
    public string Server { get; }

    /// <summary>The kind of failure.</summary>
    public MemcachedFailureReason Reason { get; }

    /// <summary>Whether the request may have reached the server, so that a write may have happened.</summary>
    public bool WasSent { get; }

    /// <summary>
    /// How long until the server is tried again, where it is down: calls for its keys before that fail the same way. Null where it is not down.
    /// </summary>
    public TimeSpan? RetryAfter { get; }

    private static string Describe(MemcachedFailureReason reason, string? detail) => reason switch
    {
        MemcachedFailureReason.Unavailable when detail is not null => $"the server cannot be used: {detail.TrimEnd('.')}.",
        MemcachedFailureReason.Unavailable => "the server cannot be reached.",
        MemcachedFailureReason.ServerError => $"the server answered '{detail}'.",
        MemcachedFailureReason.TimedOut when detail is not null => $"no answer came within {detail}.",
        MemcachedFailureReason.TimedOut => "no answer came within MemcachedCacheOptions.OperationTimeout.",
        MemcachedFailureReason.ConnectionLost => "the connection broke before the answer came.",
        MemcachedFailureReason.Overloaded => "too many requests wait for it; see MemcachedCacheOptions.MaximumPendingOperations and MaximumBufferedBytes.",
        _ => "the server has no memory left for the item (memcached -m, -M).",
    };
}

/// <summary>
/// A value is larger than the server's item size or <see cref="MemcachedCacheOptions.MaximumValueBytes"/> allows, and
/// <see cref="MemcachedCacheOptions.OversizeBehavior"/> is <see cref="MemcachedOversizeBehavior.Throw"/>. The value was not stored, and
/// what was cached under the key before has been removed, unless its server gave no answer.
/// </summary>
public sealed class MemcachedValueTooLargeException : Exception
{
    internal MemcachedValueTooLargeException(string key, long size, long limit)
        : base($"The value for key '{Shorten(key)}' has {size} bytes, and {(limit > 0 ? $"the limit is {limit} bytes" : "the server refused its size")}. Store less under one key, raise memcached's item size (-I) or MemcachedCacheOptions.MaximumValueBytes, or set MemcachedCacheOptions.OversizeBehavior to Skip.")
    {
        Key = key;
        Size = size;
        Limit = limit;
    }

    /// <summary>The key of the call.</summary>
    public string Key { get; }

    /// <summary>The value's length, in bytes.</summary>
    public long Size { get; }

    /// <summary>The longest value that could have been stored under this key, in bytes; 0 where the server did not tell.</summary>
    public long Limit { get; }

    private static string Shorten(string key)
    {
        const int Longest = 100;
        string text = key.Length <= Longest ? key : key[..Longest] + "…";
        return string.Concat(text.Select(static c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
    }
}
