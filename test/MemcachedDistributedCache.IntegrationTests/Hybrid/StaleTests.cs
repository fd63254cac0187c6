using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Values past their expiration: while they are refreshed, and when their factory fails.</summary>
public sealed class StaleTests(ThreeNodes nodes, ITestOutputHelper output) : HybridTestBase(nodes)
{
    private static readonly HybridCacheEntryOptions Short = new() { Expiration = TimeSpan.FromMilliseconds(200) };

    [MemcachedFact]
    public async Task Within_the_window_one_refreshes_and_all_others_are_served_at_once()
    {
        Instance[] instances = Make(4, static options => options.Hybrid.StaleWindow = TimeSpan.FromMinutes(1));
        int runs = 0;
        var long1 = new HybridCacheEntryOptions { Expiration = TimeSpan.FromMinutes(5) };
        await instances[0].Get("key", static _ => new ValueTask<string>("old"), Short);
        await Eventually.True(() => ExpiredAsync(instances[1]), "the entry has expired");

        async ValueTask<string> Slow(CancellationToken token)
        {
            Interlocked.Increment(ref runs);
            await Task.Delay(2000, token);
            return "new";
        }

        var latencies = new System.Collections.Concurrent.ConcurrentBag<double>();
        var sources = new System.Collections.Concurrent.ConcurrentBag<(string, MemcachedHybridSource)>();
        long started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, 64).Select(caller => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(4))
            {
                long before = Stopwatch.GetTimestamp();
                (string value, MemcachedHybridSource source) = await instances[caller % 4].GetWithSource("key", Slow, long1);
                latencies.Add(Stopwatch.GetElapsedTime(before).TotalMilliseconds);
                sources.Add((value, source));
                await Task.Delay(5);
            }
        }))).WaitAsync(Eventually.Limit);

        double[] sorted = [.. latencies.Order()];
        Assert.Equal(1, runs);
        Assert.All(sources, static s => Assert.Equal(s.Item1 == "old", s.Item2 == MemcachedHybridSource.Stale));
        Assert.Contains(sources, static s => s.Item1 == "new");
        Assert.DoesNotContain(sources, static s => s.Item2 == MemcachedHybridSource.Factory);

        // A machine that is busy elsewhere stands still for a moment now and then; who waited for the factory would
        // have waited two seconds.
        output.WriteLine(
            $"{sorted.Length} reads: p50 {sorted[sorted.Length / 2]:0.000} ms, p99 {sorted[(int)(sorted.Length * 0.99)]:0.000} ms, max {sorted[^1]:0.0} ms");
        Assert.True(sorted[(int)(sorted.Length * 0.99)] < 1000, $"p99 {sorted[(int)(sorted.Length * 0.99)]} ms, max {sorted[^1]} ms");
        Assert.True(sorted[sorted.Length / 2] < 100, $"p50 {sorted[sorted.Length / 2]} ms");
    }

    [MemcachedFact]
    public async Task In_the_foreground_the_one_who_refreshes_waits_and_nobody_else()
    {
        Instance one = Make(1, static options =>
        {
            options.Hybrid.StaleWindow = TimeSpan.FromMinutes(1);
            options.Hybrid.RefreshInBackground = false;
        })[0];
        await one.Get("key", static _ => new ValueTask<string>("old"), Short);
        await Eventually.True(() => Task.FromResult(IsExpired(one)), "the entry has expired");
        var go = new TaskCompletionSource();
        Task<(string, MemcachedHybridSource)> refreshing = one.GetWithSource("key", async _ => { await go.Task; return "new"; }).AsTask();
        await Eventually.True(() => one.Statistics.RefreshesStarted == 1, "the refresh runs");
        Assert.Equal(("old", MemcachedHybridSource.Stale), await one.GetWithSource("key", static _ => new ValueTask<string>("never")));
        Assert.False(refreshing.IsCompleted);
        go.SetResult();
        Assert.Equal(("new", MemcachedHybridSource.Factory), await refreshing.WaitAsync(Eventually.Limit));
        Assert.Equal("new", await one.Peek<string>("key"));
    }

    [MemcachedFact]
    public async Task Without_a_window_nothing_is_served_past_its_expiration()
    {
        Instance one = Make(1)[0];
        await one.Get("key", static _ => new ValueTask<string>("old"), Short);
        await Eventually.True(() => Task.FromResult(IsExpired(one)), "the entry has expired");
        Assert.Equal(("new", MemcachedHybridSource.Factory), await one.GetWithSource("key", static _ => new ValueTask<string>("new")));
    }

    [MemcachedFact]
    public async Task A_remove_during_a_refresh_wins()
    {
        Instance[] pair = Make(2, static options => options.Hybrid.StaleWindow = TimeSpan.FromMinutes(1));
        await pair[0].Get("key", static _ => new ValueTask<string>("old"), Short);
        await Eventually.True(() => Task.FromResult(IsExpired(pair[0])), "the entry has expired");
        var go = new TaskCompletionSource();
        var ended = new TaskCompletionSource();
        Assert.Equal("old", await pair[0].Get("key", async _ =>
        {
            await go.Task;
            ended.SetResult();
            return "refreshed";
        }));
        await Eventually.True(() => pair[0].Statistics.RefreshesStarted == 1, "the refresh runs");
        await pair[1].Cache.RemoveAsync("key");
        go.SetResult();
        await ended.Task.WaitAsync(Eventually.Limit);
        await Eventually.True(() => pair[0].Statistics.LeasesLost == 1, "the store is refused");
        Assert.Null(await pair[1].Peek<string>("key"));
        await Eventually.True(async () => await pair[0].Peek<string>("key") is null, "the copy follows");
    }

    [MemcachedFact]
    public async Task A_refresher_that_dies_is_followed_by_another()
    {
        Instance[] pair = Make(2, static options =>
        {
            options.Hybrid.StaleWindow = TimeSpan.FromMinutes(1);
            options.Hybrid.LeaseTime = TimeSpan.FromSeconds(3);
        });
        await pair[0].Get("key", static _ => new ValueTask<string>("old"), Short);
        await Eventually.True(() => Task.FromResult(IsExpired(pair[0])), "the entry has expired");
        Assert.Equal("old", await pair[0].Get("key", static async token =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return "never";
        }));
        await Eventually.True(() => pair[0].Statistics.RefreshesStarted == 1, "the refresh runs");

        // The instance goes, and with it the connection that could give the lease back.
        pair[0].Below.Dispose();
        long died = Stopwatch.GetTimestamp();
        await Eventually.True(async () => await pair[1].Get("key", static _ => new ValueTask<string>("new")) == "new", "the other takes over");
        Assert.InRange(Stopwatch.GetElapsedTime(died), TimeSpan.Zero, TimeSpan.FromSeconds(3 + 1 + 1 + 3)); // the lease, the clock's second, the second for which a refresh rests, and room for a busy machine
    }

    [MemcachedFact]
    public async Task A_factory_that_throws_is_stood_in_for_and_its_exception_comes_where_there_is_nothing()
    {
        Instance[] pair = Make(2, static options =>
        {
            options.Hybrid.MaxStale = TimeSpan.FromMinutes(1);
            options.Hybrid.LocalCacheRevalidation = TimeSpan.FromMilliseconds(50);
        });
        await pair[0].Get("key", static _ => new ValueTask<string>("old"), Short);
        await Eventually.True(() => Task.FromResult(IsExpired(pair[0])), "the entry has expired");
        foreach (Instance instance in pair)
        {
            Assert.Equal(("old", MemcachedHybridSource.Stale), await instance.GetWithSource<string>("key", static _ => throw new FormatException()));
            Assert.Equal(1, instance.Statistics.FactoryFailures);
        }

        Assert.Equal(1, pair[0].Logger.Count("A factory failed"));

        // A factory that works again is used as soon as the gutter node has been served for a moment; no lease is in its way.
        await Eventually.True(async () => (await pair[1].GetWithSource("key", static _ => new ValueTask<string>("new"))).Value == "new", "the factory is tried again");
        Assert.Equal(0, pair[1].Statistics.LeasesWaitedFor);
        await Assert.ThrowsAsync<FormatException>(async () => await pair[0].Get<string>("nothing", static _ => throw new FormatException()));
    }

    [MemcachedFact]
    public async Task A_factory_that_takes_too_long_is_stood_in_for_and_its_value_is_stored_all_the_same()
    {
        Instance[] pair = Make(2, static options =>
        {
            options.Hybrid.MaxStale = TimeSpan.FromMinutes(1);
            options.Hybrid.FactorySoftTimeout = TimeSpan.FromMilliseconds(100);
        });
        await pair[0].Get("key", static _ => new ValueTask<string>("old"), Short);
        await Eventually.True(() => Task.FromResult(IsExpired(pair[0])), "the entry has expired");
        var go = new TaskCompletionSource();
        using var cancel = new CancellationTokenSource();
        CancellationToken seen = default;
        (string value, MemcachedHybridSource source) = await pair[0].GetWithSource("key", async token =>
        {
            seen = token;
            await go.Task;
            return "new";
        });
        Assert.Equal(("old", MemcachedHybridSource.Stale), (value, source));

        // One elsewhere waits no longer either.
        Assert.Equal(("old", MemcachedHybridSource.Stale), await pair[1].GetWithSource("key", static _ => new ValueTask<string>("never")));
        Assert.False(seen.IsCancellationRequested);
        go.SetResult();
        await Eventually.True(async () => await pair[1].PeekCluster<string>("key") == "new", "the late value is stored");
        await Eventually.True(async () => await pair[0].Peek<string>("key") == "new", "and found");

        // Without a last value there is nothing to give.
        Task<string> first = pair[0].Get("none", async token => { await Task.Delay(400, token); return "late"; }).AsTask();
        Assert.Equal("late", await first.WaitAsync(Eventually.Limit));
    }

    [MemcachedFact]
    public async Task A_value_that_was_removed_or_invalidated_does_not_gutter_node()
    {
        Instance[] pair = Make(2, static options => options.Hybrid.MaxStale = TimeSpan.FromMinutes(1));
        await pair[0].Get("removed", static _ => new ValueTask<string>("old"), Short);
        await pair[0].Get("tagged", static _ => new ValueTask<string>("old"), Short, ["t"]);
        await Eventually.True(() => Task.FromResult(IsExpired(pair[0], "removed") && IsExpired(pair[0], "tagged")), "the entries have expired");
        await pair[1].Cache.RemoveAsync("removed");
        await pair[0].Cache.RemoveByTagAsync("t");
        await Assert.ThrowsAsync<FormatException>(async () => await pair[0].Get<string>("removed", static _ => throw new FormatException()));
        await Assert.ThrowsAsync<FormatException>(async () => await pair[0].Get<string>("tagged", static _ => throw new FormatException()));
    }

    private static bool IsExpired(Instance instance, string key = "key")
        => instance.Cache.Parts.Local.Find(key) is not { } copy || copy.ExpiresAt < TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    private static async Task<bool> ExpiredAsync(Instance instance)
    {
        (string? value, MemcachedHybridSource source) = await instance.GetWithSource<string>(
            "key",
            static _ => throw new InvalidOperationException(),
            new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData | HybridCacheEntryFlags.DisableLocalCache });
        return value == "old" && source == MemcachedHybridSource.Stale;
    }
}
