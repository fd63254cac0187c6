using MemcachedDistributedCache.Options;

namespace MemcachedDistributedCache;

/// <summary>
/// The options of the hybrid cache, part of <see cref="MemcachedCacheOptions"/> and validated with them when the host
/// starts. All processes that share a cache should have the same.
/// </summary>
public sealed class MemcachedHybridCacheOptions
{
    /// <summary>The time to live of an entry whose caller gives no expiration. 1 second to 365 days. Default: 5 minutes.</summary>
    [Duration("00:00:01", "365.00:00:00")]
    public TimeSpan DefaultExpiration { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How long the local copy of an entry is used, where the caller gives neither expiration; never longer than the
    /// entry lives. 1 millisecond to 365 days. Default: 5 minutes.
    /// </summary>
    [Duration("00:00:00.001", "365.00:00:00")]
    public TimeSpan LocalCacheExpiration { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// After this long the local copy is held against the cluster's, by a request of about forty bytes that moves no
    /// value. So it bounds how long a copy is used after another process has set or removed the entry. Zero asks each
    /// time. 0 to 1 hour. Default: 1 second.
    /// </summary>
    [Duration("00:00:00", "01:00:00")]
    public TimeSpan LocalCacheRevalidation { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The bound of the local copies in bytes, their overhead of about 256 bytes each included; a copy whose caller or
    /// factory gives a <c>LocalSize</c> counts for that. 65 536 to 2 147 483 647. Default: 134 217 728 (128 MiB).
    /// </summary>
    [Count(64 * 1024, int.MaxValue)]
    public int MaximumLocalBytes { get; set; } = 128 * 1024 * 1024;

    /// <summary>
    /// The bound of the number of local copies, 1 to 10 000 000. Each copy counts for at least
    /// <see cref="MaximumLocalBytes"/> divided by this number. Default: 100 000.
    /// </summary>
    [Count(1, 10_000_000)]
    public int MaximumLocalEntries { get; set; } = 100_000;

    /// <summary>
    /// After this long the version of a tag is read anew, so it bounds how long another process may use entries whose
    /// tag has been invalidated. Zero reads it each time. 0 to 1 hour. Default: 1 second.
    /// </summary>
    [Duration("00:00:00", "01:00:00")]
    public TimeSpan TagRefreshInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long the right to run a factory outlives a process that dies in it. A living one renews it. Counted by the
    /// server in whole seconds, rounded up. 3 seconds to 10 minutes. Default: 10 seconds.
    /// </summary>
    [Duration("00:00:03", "00:10:00")]
    public TimeSpan LeaseTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long callers wait for another process's factory before they run their own, whose value is then not stored. 0
    /// to 1 day. Default: 1 minute.
    /// </summary>
    [Duration("00:00:00", "1.00:00:00")]
    public TimeSpan MaximumLeaseWait { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How long after its expiration an entry is still served while one caller in the cluster makes the new value. 0 to
    /// 365 days. Default: 0, which serves nothing past its expiration.
    /// <para>
    /// With <see cref="RefreshInBackground"/> the factory runs when its caller's request may be over: without the
    /// request's context, and with its scoped services disposed. Use
    /// <see cref="MemcachedHybridCache.GetOrCreateScopedAsync{TState, T}"/> for a factory that needs such. After three
    /// refreshes of an entry that failed a caller runs its own factory, and the old value is served if that fails too.
    /// </para>
    /// </summary>
    [Duration("00:00:00", "365.00:00:00")]
    public TimeSpan StaleWindow { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// How long after its expiration an entry is served in place of a factory that throws, or takes longer than
    /// <see cref="FactorySoftTimeout"/>. 0 to 365 days. Default: 0, which gives the factory's exception to its callers.
    /// </summary>
    [Duration("00:00:00", "365.00:00:00")]
    public TimeSpan MaxStale { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// With true nobody waits for the new value within <see cref="StaleWindow"/>. With false the caller who refreshes
    /// waits for the new value, and all others are served the old one. Default: true.
    /// </summary>
    public bool RefreshInBackground { get; set; } = true;

    /// <summary>
    /// After this long the callers of a factory get the last value, if there is one within <see cref="MaxStale"/>; the
    /// factory runs on and its value is stored. 1 millisecond to 1 hour, or -00:00:00.001
    /// (<see cref="Timeout.InfiniteTimeSpan"/>) for no limit. Default: no limit. The factory's scoped services may be
    /// disposed by then, unless it has a scope of its own:
    /// <see cref="MemcachedHybridCache.GetOrCreateScopedAsync{TState, T}"/>.
    /// </summary>
    [Duration("00:00:00.001", "01:00:00", AllowInfinite = true)]
    public TimeSpan FactorySoftTimeout { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// The longest value as it is serialized, in bytes, 1 to 1 073 741 824. A longer one is kept in the process that made it, where
    /// <see cref="MaximumLocalBytes"/> allows, and not in the cluster. The server's item size (<c>memcached -I</c>, 1
    /// MiB by default) holds besides. Default: 1 048 576 (1 MiB).
    /// </summary>
    [Count(1, 1024 * 1024 * 1024)]
    public int MaximumPayloadBytes { get; set; } = 1024 * 1024;

    /// <summary>
    /// The longest key in characters, 1 to 65 535. The value of a longer one is given to its callers and not stored. Default: 1 024.
    /// </summary>
    [Count(1, ushort.MaxValue)]
    public int MaximumKeyLength { get; set; } = 1024;

    /// <summary>
    /// The most tags of an entry, 1 to 1 000. The version of each is a request to a server once in
    /// <see cref="TagRefreshInterval"/>. A caller who gives more gets an <see cref="ArgumentException"/>; an entry in
    /// the cluster that has more is made anew. Default: 64.
    /// </summary>
    [Count(1, 1000)]
    public int MaximumTags { get; set; } = 64;

    /// <summary>With true a factory's null is stored like any value; with false the factory runs each time. Default: true.</summary>
    public bool CacheNullValues { get; set; } = true;

    /// <summary>
    /// Each expiration is shortened or lengthened at random by up to this share of itself, so that entries stored
    /// together do not expire together. 0 to 0.5. Default: 0.05.
    /// </summary>
    [Share(0, 0.5)]
    public double ExpirationJitter { get; set; } = 0.05;

    /// <summary>
    /// With true the first value of each type is compared with what its serializer gives back, before it is stored;
    /// each difference is logged once, with the member and what to do (event 3007). It costs some time with that one
    /// value and nothing with later ones. Default: null, which means yes where the host's environment is
    /// <c>Development</c> (<c>environment</c> of the container's configuration, or else the variables
    /// <c>ASPNETCORE_ENVIRONMENT</c> and <c>DOTNET_ENVIRONMENT</c>), and no elsewhere. Whatever this says, a type that
    /// can be written but not read is found with its first value, and not stored (event 3006).
    /// </summary>
    public bool? VerifySerialization { get; set; }

    /// <summary>How long an expired entry may still be of use.</summary>
    internal TimeSpan Retention => StaleWindow > MaxStale ? StaleWindow : MaxStale;

    /// <summary>
    /// How long after its expiration the server keeps an entry: a refresh stores over it, and one that began at the
    /// last moment must still find it, for as long as others wait for its factory.
    /// </summary>
    internal TimeSpan ServerRetention => Retention > TimeSpan.Zero ? Retention + MaximumLeaseWait : TimeSpan.Zero;

    /// <summary>A copy that does not change any more, as nobody else has it.</summary>
    internal MemcachedHybridCacheOptions Copy() => (MemcachedHybridCacheOptions)MemberwiseClone();
}
