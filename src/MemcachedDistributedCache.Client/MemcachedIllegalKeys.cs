namespace MemcachedDistributedCache;

/// <summary>The fate of a key that memcached does not take as it is.</summary>
public enum MemcachedIllegalKeys
{
    /// <summary>An <see cref="ArgumentException"/>. Every other key goes as it is, so that clients in other languages find the item.</summary>
    Refuse,

    /// <summary>
    /// It is hashed, as the caches do with theirs. Such items are found by this client alone; and without a namespace keys that have a
    /// <c>|</c> are hashed as well.
    /// </summary>
    Hash,
}
