using System.Globalization;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests.Telemetry;

/// <summary>What servers say of themselves, held against their own <c>stats</c>.</summary>
public sealed class ServerMetricTests
{
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedFact]
    public async Task They_are_what_stats_says()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-m", "64");
        using var metrics = new MetricRecorder();
        await using MemcachedCache cache = Watched.On(metrics, server.Server);
        for (int i = 0; i < 150; i++)
        {
            await cache.SetAsync("key" + i, new byte[900_000], Default);
            await cache.GetAsync(i % 3 == 0 ? "missing" : "key" + i);
        }

        Assert.Empty(metrics.Points("memcached.server.items"));
        await Eventually.True(() => metrics.Points("memcached.server.items").Count == 1, "the server has been asked");
        IReadOnlyDictionary<string, string> stats = await server.StatsAsync();
        double Stat(string name) => double.Parse(stats[name], CultureInfo.InvariantCulture);
        string[] tags = Watched.TagsOf(server);
        Assert.Equal(Stat("curr_items"), metrics.Sum("memcached.server.items", tags));
        Assert.Equal(Stat("bytes"), metrics.Sum("memcached.server.memory.used", tags));
        Assert.Equal(64.0 * 1024 * 1024, metrics.Sum("memcached.server.memory.limit", tags));
        Assert.Equal(Stat("evictions"), metrics.Sum("memcached.server.evictions", tags));
        Assert.True(Stat("evictions") > 0, "more was stored than fits");
        Assert.Equal(Stat("get_hits"), metrics.Sum("memcached.server.gets", [.. tags, "memcached.outcome=hit"]));
        Assert.Equal(50, metrics.Sum("memcached.server.gets", [.. tags, "memcached.outcome=miss"]));
        Assert.InRange(metrics.Sum("memcached.server.connections", tags), 2, Stat("curr_connections") + 1);
        Assert.InRange(metrics.Sum("memcached.server.uptime", tags), 0, Stat("uptime") + Eventually.Limit.TotalSeconds);
    }

    [MemcachedFact]
    public async Task The_hit_ratio_is_that_of_the_reads_between_two_looks()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        using var metrics = new MetricRecorder();
        var time = new ManualTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        await using MemcachedCache cache = On(metrics, time, server.Server);
        await cache.SetAsync("key", [1], Default);
        for (int i = 0; i < 10; i++)
        {
            await cache.GetAsync("missing");
        }

        await Eventually.True(() => metrics.Points("memcached.server.items").Count == 1, "the server has been asked once");
        Assert.Empty(metrics.Points("memcached.server.hit_ratio"));
        for (int i = 0; i < 8; i++)
        {
            await cache.GetAsync(i < 6 ? "key" : "missing");
        }

        // Not before its time, however often it is collected.
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(10, metrics.Sum("memcached.server.gets", "memcached.outcome=miss"));
        }

        time.Jump(TimeSpan.FromSeconds(5));
        await Eventually.True(() => metrics.Points("memcached.server.hit_ratio").Count == 1, "the server has been asked again");
        Assert.Equal(0.75, metrics.Sum("memcached.server.hit_ratio"));
        Assert.Equal(12, metrics.Sum("memcached.server.gets", "memcached.outcome=miss"));
    }

    [MemcachedFact]
    public async Task Nobody_is_asked_while_nobody_listens_to_the_answers()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        using var metrics = new MetricRecorder("memcached.client.hits", "memcached.client.misses", "db.client.operation.duration");
        await using MemcachedCache cache = Watched.On(metrics, proxy.Server);
        await cache.GetAsync("key");
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(1, metrics.Sum("memcached.client.misses"));
        }

        await cache.DisposeAsync();
        Assert.Equal(1, proxy.ConnectionsAccepted);
    }

    [MemcachedFact]
    public async Task A_collection_never_waits_for_a_server_and_forgets_one_that_is_silent_or_gone()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        using var metrics = new MetricRecorder();

        // A server is asked every five seconds at most.
        await using MemcachedCache cache = Watched.On(
            metrics,
            server.Server,
            static options => (options.OperationTimeout, options.ConnectTimeout) = (TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30)),
            ioTime: new HastyTimeProvider(10));
        await cache.GetAsync("key");
        await Eventually.True(() => metrics.Points("memcached.server.items").Count == 1, "the server has been asked");
        server.Freeze();
        await Eventually.True(
            () =>
            {
                long started = System.Diagnostics.Stopwatch.GetTimestamp();
                int count = metrics.Points("memcached.server.items").Count;
                Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5));
                return count == 0;
            },
            "its last answer is forgotten");
        server.Thaw();
        await Eventually.True(() => metrics.Points("memcached.server.items").Count == 1, "it has been asked again");
    }

    [MemcachedFact]
    public async Task Answers_of_long_ago_are_not_told()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        using var metrics = new MetricRecorder();
        var time = new ManualTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        await using MemcachedCache cache = On(metrics, time, server.Server);
        await cache.GetAsync("key");
        await Eventually.True(() => metrics.Points("memcached.server.items").Count == 1, "the server has been asked");
        time.Jump(TimeSpan.FromMinutes(6));
        Assert.Empty(metrics.Points("memcached.server.items"));
        await Eventually.True(() => metrics.Points("memcached.server.items").Count == 1, "the server has been asked again");
    }

    private static MemcachedCache On(MetricRecorder metrics, TimeProvider time, string server)
        => new(
            new MemcachedCacheOptions { Servers = [server], Protocol = Caches.Protocol, IdleTimeout = Timeout.InfiniteTimeSpan },
            null,
            null,
            metrics,
            null,
            ioTime: time);
}
