namespace MemcachedDistributedCache.Hybrid;

/// <summary>The options of the hybrid cache, copied when it is made.</summary>
internal sealed record HybridSettings
{
    /// <summary>More at once is no faster, as each connection sends what has gathered.</summary>
    private const int LargestFanOut = 256;

    /// <summary>More than what goes before a value: the request, and the versions of its tags.</summary>
    private const int LargestHeader = 64 * 1024;

    /// <summary>The time to live of an entry whose caller gives none.</summary>
    public required TimeSpan DefaultExpiration { get; init; }

    /// <summary>How long the local copy lives, where the caller gives nothing.</summary>
    public required TimeSpan LocalCacheExpiration { get; init; }

    /// <summary>After this long the local copy is held against the cluster's.</summary>
    public required TimeSpan LocalCacheRevalidation { get; init; }

    /// <summary>The bound of the local copies, in bytes.</summary>
    public required int MaximumLocalBytes { get; init; }

    /// <summary>The bound of their number.</summary>
    public required int MaximumLocalEntries { get; init; }

    /// <summary>After this long the version of a tag is read anew.</summary>
    public required TimeSpan TagRefreshInterval { get; init; }

    /// <summary>How long a lease lives without being renewed.</summary>
    public required TimeSpan LeaseTime { get; init; }

    /// <summary>How long to wait for another's factory.</summary>
    public required TimeSpan MaximumLeaseWait { get; init; }

    /// <summary>How long after its expiration an entry is served while it is refreshed.</summary>
    public required TimeSpan StaleWindow { get; init; }

    /// <summary>How long after its expiration an entry is served in place of a factory that fails.</summary>
    public required TimeSpan MaxStale { get; init; }

    /// <summary>Whether nobody waits for a refresh.</summary>
    public required bool RefreshInBackground { get; init; }

    /// <summary>After this long a factory's callers get the last value instead, if there is one.</summary>
    public required TimeSpan FactorySoftTimeout { get; init; }

    /// <summary>The longest serialized value, in bytes.</summary>
    public required int MaximumPayloadBytes { get; init; }

    /// <summary>The longest key, in characters.</summary>
    public required int MaximumKeyLength { get; init; }

    /// <summary>The most tags of an entry.</summary>
    public required int MaximumTags { get; init; }

    /// <summary>Whether null is a value.</summary>
    public required bool CacheNullValues { get; init; }

    /// <summary>By which share of itself an expiration is shortened or lengthened at random.</summary>
    public required double ExpirationJitter { get; init; }

    /// <summary>Whether the first value of each type is compared with what comes back of it; null where the host's environment decides.</summary>
    public bool? VerifiesSerialization { get; init; }

    /// <summary>How many requests of one call may be under way at once.</summary>
    public int MaximumFanOut { get; init; } = LargestFanOut;

    /// <summary>How many of them may be stores.</summary>
    public int MaximumStoreFanOut { get; init; } = LargestFanOut;

    /// <summary>How long an expired entry may still be of use.</summary>
    public TimeSpan Retention => StaleWindow > MaxStale ? StaleWindow : MaxStale;

    /// <summary>
    /// How long after its expiration the server keeps an entry: a refresh stores over it, and one that began at the last moment must still find it, for as
    /// long as others wait for its factory.
    /// </summary>
    public TimeSpan ServerRetention => Retention > TimeSpan.Zero ? Retention + MaximumLeaseWait : TimeSpan.Zero;

    /// <summary>A call with many keys leaves room for others in the queue of a connection.</summary>
    public static int FanOutBelow(int maximumPending) => Math.Clamp(maximumPending / 4, 1, LargestFanOut);

    /// <summary>The same for stores, whose values may all be as long as they are allowed to be.</summary>
    public static int StoreFanOutBelow(int maximumPending, long maximumBuffered, long maximumPayload)
        => (int)Math.Clamp(maximumBuffered / (maximumPayload + LargestHeader), 1, FanOutBelow(maximumPending));
}
