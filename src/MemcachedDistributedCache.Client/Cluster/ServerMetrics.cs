using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;

namespace MemcachedDistributedCache.Cluster;

/// <summary>The metrics that the servers tell of themselves (<c>stats</c>), over all of their clients.</summary>
internal static class ServerMetrics
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<ObservedMetric<IClusterReadings>> All { get; } =
    [
        Of("memcached.server.items", MetricKind.Amount, "{item}", "Items that the server holds, expired ones that it has not met yet among them.", static (seen, tags, to) => to.Add(tags, seen.Now.Items)),
        Of("memcached.server.memory.used", MetricKind.Amount, "By", "Bytes that its items take.", static (seen, tags, to) => to.Add(tags, seen.Now.Bytes)),
        Of("memcached.server.memory.limit", MetricKind.Amount, "By", "Bytes that its items may take (-m).", static (seen, tags, to) => to.Add(tags, seen.Now.MaximumBytes)),
        Of("memcached.server.connections", MetricKind.Amount, "{connection}", "Connections that all clients have to it.", static (seen, tags, to) => to.Add(tags, seen.Now.Connections)),
        Of("memcached.server.evictions", MetricKind.Counter, "{eviction}", "Items that it dropped before their time to make room.", static (seen, tags, to) => to.Add(tags, seen.Now.Evictions)),
        Of("memcached.server.gets", MetricKind.Counter, "{get}", "Reads that it served, of all clients, by outcome.", static (seen, tags, to) =>
        {
            to.Add(tags.With(AttributeNames.Outcome, "hit"), seen.Now.Hits);
            to.Add(tags.With(AttributeNames.Outcome, "miss"), seen.Now.Misses);
        }),
        Of("memcached.server.hit_ratio", MetricKind.Ratio, "1", "Hits among the reads that it served between the last two looks.", static (seen, tags, to) =>
        {
            if (seen.HitRatio is { } ratio)
            {
                to.Add(tags, ratio);
            }
        }),
        Of("memcached.server.uptime", MetricKind.Gauge, "s", "How long it has run.", static (seen, tags, to) => to.Add(tags, seen.Now.Uptime)),
    ];

    private static ObservedMetric<IClusterReadings> Of(string name, MetricKind kind, string unit, string description, Action<ServerView, MetricTags, Observations> read)
        => new(name, kind, unit, description, (metrics, to) =>
        {
            foreach ((Node node, ServerView seen) in metrics.LookAtServers())
            {
                read(seen, node.Counters.Telemetry.Tags, to);
            }
        }) { IsShared = true };
}

/// <summary>The last look at a server, and what the one before makes of it.</summary>
/// <param name="Now">What it said last.</param>
/// <param name="HitRatio">Its hits among its reads between the two; null before the second, without reads, and when it
/// was restarted.</param>
/// <param name="At">When it said so, as a timestamp.</param>
internal sealed record ServerView(ServerStatistics Now, double? HitRatio, long At)
{
    /// <summary>The next look.</summary>
    public static ServerView After(ServerView? before, ServerStatistics now, long at)
    {
        long hits = now.Hits - before?.Now.Hits ?? 0;
        long misses = now.Misses - before?.Now.Misses ?? 0;
        bool known = before is not null && hits >= 0 && misses >= 0 && hits + misses > 0;
        return new ServerView(now, known ? (double)hits / (hits + misses) : null, at);
    }
}
