using System.Globalization;
using System.Threading.RateLimiting;
using MemcachedDistributedCache.AspNetCore;

namespace MemcachedDistributedCache.Worker;

/// <summary>One of several processes that share rate limits.</summary>
internal static class LimitedCallers
{
    private const int Limit = 1000;
    private const int Segments = 4;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Says <c>ready</c>, waits for a line with the time of its start, and attempts so often within so long at even steps, of a fixed and
    /// of a sliding window. Says for each quarter of a second how often it attempted and how many it was granted, and then <c>done</c>. A
    /// permit whose call lasted over the end of a quarter is named apart, since it may belong to either.
    /// </summary>
    public static async Task<int> RunAsync(string servers, string space, int attempts, int milliseconds, bool isBlocking)
    {
        await using var client = new MemcachedClient(new MemcachedClientOptions
        {
            Servers = servers.Split(','),
            Namespace = space,
            OperationTimeout = TimeSpan.FromSeconds(10),
        });
        using var fixedWindow = new MemcachedRateLimiter(client, "fixed", new MemcachedFixedWindowRateLimiterOptions { PermitLimit = Limit, Window = Window });
        using var sliding = new MemcachedRateLimiter(
            client,
            "sliding",
            new MemcachedSlidingWindowRateLimiterOptions { PermitLimit = Limit, Window = Window, SegmentsPerWindow = Segments });
        await client.PingAsync();
        Console.WriteLine("ready");
        var start = new DateTimeOffset(long.Parse((await Console.In.ReadLineAsync())!, CultureInfo.InvariantCulture), TimeSpan.Zero);
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        void Count(string what) => counts[what] = counts.GetValueOrDefault(what) + 1;
        for (int i = 0; i < attempts; i++)
        {
            TimeSpan wait = start + TimeSpan.FromMilliseconds((double)milliseconds * i / attempts) - TimeProvider.System.GetUtcNow();
            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait);
            }

            foreach ((string name, RateLimiter limiter) in ((string, RateLimiter)[])[("fixed", fixedWindow), ("sliding", sliding)])
            {
                long before = Quarter();
                Count($"{name} attempted {before}");
                using RateLimitLease lease = isBlocking ? limiter.AttemptAcquire() : await limiter.AcquireAsync();
                if (lease.IsAcquired)
                {
                    Count(before == Quarter() ? $"{name} granted {before}" : $"{name} between 0");
                }
            }
        }

        foreach ((string what, int count) in counts)
        {
            Console.WriteLine($"{what} {count}");
        }

        Console.WriteLine("done");
        return 0;
    }

    private static long Quarter() => TimeProvider.System.GetUtcNow().Ticks / (Window.Ticks / Segments);
}
