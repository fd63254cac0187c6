namespace MemcachedDistributedCache;

/// <summary>
/// A value is larger than the server's item size or <see cref="MemcachedClientOptions.MaximumValueBytes"/> allows, and
/// <see cref="MemcachedCacheOptions.OversizeBehavior"/> is <see cref="MemcachedOversizeBehavior.Throw"/>. The value was not stored, and
/// what was cached under the key before has been removed, unless its server gave no answer.
/// </summary>
public sealed class MemcachedValueTooLargeException : Exception
{
    internal MemcachedValueTooLargeException(string key, long size, long limit)
        : base(
            $"The value has {size} bytes, and {(limit > 0 ? $"the limit is {limit} bytes" : "the server refused its size")}. Store less under one key, "
            + "raise memcached's item size (-I) or MemcachedCacheOptions.MaximumValueBytes, or set MemcachedCacheOptions.OversizeBehavior to Skip. "
            + "The exception's property Key tells the key.")
    {
        Key = key;
        Size = size;
        Limit = limit;
    }

    /// <summary>The key of the call. It may be a secret, so that it is not in the message.</summary>
    public string Key { get; }

    /// <summary>The value's length, in bytes.</summary>
    public long Size { get; }

    /// <summary>The longest value that could have been stored under this key, in bytes; 0 where the server did not tell.</summary>
    public long Limit { get; }
}
