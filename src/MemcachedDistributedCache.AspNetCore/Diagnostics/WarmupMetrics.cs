using System.Diagnostics.Metrics;

namespace MemcachedDistributedCache.AspNetCore.Diagnostics;

/// <summary>The metric of warm-ups.</summary>
internal static class WarmupMetrics
{
    public const string Name = "memcached.warmup.name";
    public const string Outcome = "memcached.warmup.outcome";

    public static Counter<long>? Items(IMeterFactory? factory)
        => OwnMeter.Counter(factory, "memcached.warmup.items", "{item}", "Items that warm-ups have filled, and that have failed.");
}
