using MemcachedDistributedCache.AspNetCore.RateLimiting;
using MemcachedDistributedCache.Testing;
using NSubstitute;

namespace MemcachedDistributedCache.AspNetCore.Tests.RateLimiting;

/// <summary>Limiters on counters in memory: several on the same counters are as many processes.</summary>
internal static class Limiters
{
    public static RateLimiterSettings Fixed(int limit, TimeSpan? window = null, Action<MemcachedFixedWindowRateLimiterOptions>? configure = null)
    {
        var options = new MemcachedFixedWindowRateLimiterOptions { PermitLimit = limit, Window = window ?? TimeSpan.FromSeconds(10) };
        configure?.Invoke(options);
        return RateLimiterSettings.From("test", options);
    }

    public static RateLimiterSettings Sliding(int limit, int segments, Action<MemcachedSlidingWindowRateLimiterOptions>? configure = null)
    {
        var options = new MemcachedSlidingWindowRateLimiterOptions
        {
            PermitLimit = limit,
            Window = TimeSpan.FromSeconds(segments),
            SegmentsPerWindow = segments,
        };
        configure?.Invoke(options);
        return RateLimiterSettings.From("test", options);
    }

    public static MemcachedRateLimiter On(FakeCounters counters, RateLimiterSettings settings, TimeProvider time, RecordingLogger? log = null)
        => new(settings, counters, new RateLimiterNotes(Substitute.For<IMemcachedClient>(), settings.Name, log ?? new RecordingLogger(), null), time);
}
