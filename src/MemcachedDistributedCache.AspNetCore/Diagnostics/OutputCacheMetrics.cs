using System.Diagnostics.Metrics;

namespace MemcachedDistributedCache.AspNetCore.Diagnostics;

/// <summary>
/// Publishes <see cref="MemcachedOutputCacheStatistics"/> on the meter of the caches. The numbers are kept anyway and
/// read when somebody collects, so that a request pays nothing for them. The meter belongs to the container, and so do
/// the statistics: both end together.
/// </summary>
internal static class OutputCacheMetrics
{
    /// <summary>The attribute that tells the kinds apart.</summary>
    private const string Event = "memcached.output_cache.event";

    private const string CacheName = "memcached.cache.name";

    private static readonly (string Name, Func<MemcachedOutputCacheStatistics, long> Read)[] Events =
    [
        ("hit", static statistics => statistics.Hits),
        ("miss", static statistics => statistics.Misses),
        ("stored", static statistics => statistics.Stored),
        ("too_large", static statistics => statistics.TooLarge),
        ("outdated", static statistics => statistics.Outdated),
        ("evicted", static statistics => statistics.Evictions),
        ("failed", static statistics => statistics.Failures),
        ("damaged", static statistics => statistics.Damaged),
        ("too_many_tags", static statistics => statistics.TooManyTags),
    ];

    /// <summary>Publishes them, under the service key of the cache that holds the pages if it has one.</summary>
    public static void Publish(IMeterFactory factory, MemcachedOutputCacheStatistics statistics, string? cacheName)
    {
        KeyValuePair<string, object?>[] common = cacheName is null ? [] : [new(CacheName, cacheName)];
        KeyValuePair<string, object?>[][] tags = [.. Events.Select(one => (KeyValuePair<string, object?>[])[.. common, new(Event, one.Name)])];
        try
        {
            // Name and version are those of the caches' own meter, so that the factory gives the same one.
            string? version = typeof(MemcachedCache).Assembly.GetName().Version?.ToString(3);
            factory.Create(new MeterOptions(MemcachedTelemetry.MeterName) { Version = version }).CreateObservableCounter(
                "memcached.output_cache.events",
                () => Events.Select((one, i) => new Measurement<long>(one.Read(statistics), tags[i])),
                "{event}",
                "What output caching has done, by kind: hits, misses, pages stored and not stored, evictions, failures.");
        }
        catch (Exception)
        {
            // A listener that throws when it hears of an instrument, or a factory that is disposed: pages are cached without metrics too.
        }
    }
}
