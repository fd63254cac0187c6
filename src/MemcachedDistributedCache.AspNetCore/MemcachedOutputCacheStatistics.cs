namespace MemcachedDistributedCache.AspNetCore;

/// <summary>
/// The counts of output caching on memcached in this process since it started. A singleton service; the counts only
/// grow.
/// </summary>
public sealed class MemcachedOutputCacheStatistics
{
    private long _hits;
    private long _misses;
    private long _stored;
    private long _tooLarge;
    private long _outdated;
    private long _evictions;
    private long _failures;
    private long _damaged;
    private long _tooManyTags;

    internal MemcachedOutputCacheStatistics()
    {
    }

    /// <summary>Look-ups that found a page. Requests for one page at the same moment share a look-up.</summary>
    public long Hits => Volatile.Read(ref _hits);

    /// <summary>Look-ups that found none, or one whose tag was evicted.</summary>
    public long Misses => Volatile.Read(ref _misses);

    /// <summary>Pages that were stored.</summary>
    public long Stored => Volatile.Read(ref _stored);

    /// <summary>Pages that were not stored because they are larger than the server's item size or the cache's option.</summary>
    public long TooLarge => Volatile.Read(ref _tooLarge);

    /// <summary>Pages that were not stored because a tag may have been evicted while they were made.</summary>
    public long Outdated => Volatile.Read(ref _outdated);

    /// <summary>Evictions by tag that reached the tag's server.</summary>
    public long Evictions => Volatile.Read(ref _evictions);

    /// <summary>Look-ups, stores and evictions that ended without an answer from a server.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>Look-ups that found a damaged page, which is a miss and is removed.</summary>
    public long Damaged => Volatile.Read(ref _damaged);

    /// <summary>
    /// Pages that were not stored because they have more tags than
    /// <see cref="MemcachedOutputCacheOptions.MaximumTags"/>.
    /// </summary>
    public long TooManyTags => Volatile.Read(ref _tooManyTags);

    internal void AddHit() => Interlocked.Increment(ref _hits);

    internal void AddMiss() => Interlocked.Increment(ref _misses);

    internal void AddStored() => Interlocked.Increment(ref _stored);

    internal void AddTooLarge() => Interlocked.Increment(ref _tooLarge);

    internal void AddOutdated() => Interlocked.Increment(ref _outdated);

    internal void AddEviction() => Interlocked.Increment(ref _evictions);

    internal void AddFailure() => Interlocked.Increment(ref _failures);

    internal void AddDamaged() => Interlocked.Increment(ref _damaged);

    internal void AddTooManyTags() => Interlocked.Increment(ref _tooManyTags);
}
