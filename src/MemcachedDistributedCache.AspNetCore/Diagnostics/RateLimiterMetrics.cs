using System.Diagnostics.Metrics;

namespace MemcachedDistributedCache.AspNetCore.Diagnostics;

/// <summary>The metric of rate limiting.</summary>
internal static class RateLimiterMetrics
{
    public const string Name = "memcached.rate_limiter.name";
    public const string Outcome = "memcached.rate_limiter.outcome";

    public static Counter<long>? Leases(IMeterFactory? factory)
        => OwnMeter.Counter(factory, "memcached.rate_limiter.leases", "{lease}", "What rate limiters on memcached have granted and refused.");
}
