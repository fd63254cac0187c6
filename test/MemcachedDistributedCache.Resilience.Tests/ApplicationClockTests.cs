using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Polly;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// An application's own clock, as its tests register it: it stands, or shows another year. It tells what has expired,
/// and nothing of the network goes by it.
/// </summary>
public sealed class ApplicationClockTests
{
    private static readonly DistributedCacheEntryOptions Default = new();

    /// <summary>Years before, near and after those of any server here.</summary>
    public static TheoryData<int> Years => [1980, 2001, 2030, 2090];

    [MemcachedFact]
    public async Task A_hung_server_holds_nobody_up_while_the_applications_clock_stands()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using var cache = new MemcachedCache(Options(server), timeProvider: new ManualTimeProvider());
        await cache.SetAsync("key", [1], Default);
        Assert.NotNull(cache.Get("key"));
        server.Freeze();
        Assert.Null(await cache.GetAsync("key").WaitAsync(Eventually.Limit));
        Assert.Null(await Blocking.Run(() => cache.Get("key")).WaitAsync(Eventually.Limit));
        await cache.SetAsync("key", [2], Default).WaitAsync(Eventually.Limit);
        Assert.All(await cache.PingAsync(TimeSpan.FromSeconds(1)).WaitAsync(Eventually.Limit), static ping => Assert.NotNull(ping.Failure));
        server.Thaw();
        await cache.ReadableAsync();
        await cache.SetAsync("key", [3], Default);
        Assert.Equal([3], await cache.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task A_server_that_comes_back_is_used_again_while_the_applications_clock_stands()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using var cache = new MemcachedCache(Options(server), timeProvider: new ManualTimeProvider());
        await cache.SetAsync("key", [1], Default);
        await server.KillAsync();
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        await cache.RemoveAsync("key");
        await server.StartAgainAsync();
        await cache.ReadableAsync();
        await cache.SetAsync("key", [2], Default);
        Assert.Equal([2], await cache.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task A_strategy_of_the_application_ends_in_time_while_its_clock_stands()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        MemcachedCacheOptions options = Options(server);
        options.OperationTimeout = TimeSpan.FromSeconds(60);
        options.ConfigureResilience(static pipeline => pipeline.AddTimeout(TimeSpan.FromMilliseconds(300)));
        await using var cache = new MemcachedCache(options, timeProvider: new ManualTimeProvider());
        await cache.SetAsync("key", [1], Default);
        server.Freeze();
        Assert.Null(await cache.GetAsync("key").WaitAsync(Eventually.Limit));
        server.Thaw();
    }

    [MemcachedTheory]
    [MemberData(nameof(Years))]
    public async Task An_entry_lives_as_long_as_it_is_given_in_whatever_year_the_application_is(int year)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        var clock = new ManualTimeProvider(new DateTimeOffset(year, 6, 1, 0, 0, 0, TimeSpan.Zero));
        await using var cache = new MemcachedCache(Options(server), timeProvider: clock);
        foreach (int days in (int[])[1, 29, 31, 400])
        {
            var life = TimeSpan.FromDays(days);
            await cache.SetAsync("relative", [1], new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = life });
            await cache.SetAsync("absolute", [2], new DistributedCacheEntryOptions { AbsoluteExpiration = clock.GetUtcNow() + life });
            await cache.SetAsync("sliding", [3], new DistributedCacheEntryOptions { SlidingExpiration = life });
            await cache.RefreshAsync("sliding");
            Assert.Equal([1], await cache.GetAsync("relative"));
            Assert.Equal([2], await cache.GetAsync("absolute"));
            Assert.Equal([3], await cache.GetAsync("sliding"));
            clock.Advance(life);
            Assert.Null(await cache.GetAsync("relative"));
            Assert.Null(await cache.GetAsync("absolute"));
        }
    }

    [MemcachedFact]
    public async Task A_leap_of_the_applications_clock_times_nothing_out()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        var clock = new ManualTimeProvider();
        await using var cache = new MemcachedCache(Options(server), timeProvider: clock);
        await cache.SetAsync("key", [1], Default);
        long began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromMilliseconds(300))
        {
            Task<byte[]?> reading = cache.GetAsync("key");
            clock.Jump(TimeSpan.FromHours(3));
            Assert.Equal([1], await reading);
        }

        MemcachedNodeStatus node = Assert.Single(cache.GetNodes());
        Assert.Equal((0, 0, MemcachedNodeState.Up), (node.Timeouts, node.Errors, node.State));
    }

    private static MemcachedCacheOptions Options(MemcachedProcess server) => new() { Servers = [server.Server], OperationTimeout = TimeSpan.FromSeconds(2) };
}
