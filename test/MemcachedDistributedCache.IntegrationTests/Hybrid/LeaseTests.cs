using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>One factory run for the cluster, and what wins against it.</summary>
public sealed class LeaseTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    [MemcachedFact]
    public async Task Many_callers_on_many_instances_run_the_factory_once()
    {
        Instance[] instances = Make(8);
        int runs = 0;
        Task<string>[] calls = [.. instances.SelectMany(instance => Enumerable.Range(0, 100).Select(_ => Task.Run(() => instance.Get("cold", async token =>
        {
            Interlocked.Increment(ref runs);
            await Task.Delay(200, token);
            return "value";
        }).AsTask())))];
        Assert.All(await Task.WhenAll(calls).WaitAsync(Eventually.Limit), static value => Assert.Equal("value", value));
        Assert.Equal(1, runs);
        Assert.Equal(1, instances.Sum(static i => i.Statistics.FactoryRuns));
        Assert.Equal(1, instances.Sum(static i => i.Statistics.LeasesWon));
    }

    [MemcachedFact]
    public async Task A_slow_factory_keeps_its_lease_by_renewing_it()
    {
        Instance[] pair = Make(2, static options => options.Hybrid.LeaseTime = TimeSpan.FromSeconds(3));
        int runs = 0;
        async ValueTask<int> Slow(CancellationToken token)
        {
            await Task.Delay(TimeSpan.FromSeconds(8), token);
            return Interlocked.Increment(ref runs);
        }

        Task<int> first = pair[0].Get("slow", Slow).AsTask();
        await Eventually.True(() => pair[0].Statistics.LeasesWon == 1, "the lease is won");
        Task<int> second = pair[1].Get("slow", Slow).AsTask();
        Assert.Equal((1, 1), (await first.WaitAsync(Eventually.Limit), await second.WaitAsync(Eventually.Limit)));
        Assert.Equal(1, runs);
        Assert.Equal(0, pair[0].Statistics.LeasesLost);
        Assert.Equal(1, await pair[1].PeekCluster<int>("slow"));
    }

    [MemcachedFact]
    public async Task Those_who_wait_ask_at_a_bounded_rate()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance[] pair = On([server], 2);
        Task<int> first = pair[0].Get("slow", static async token => { await Task.Delay(2000, token); return 1; }).AsTask();
        await Eventually.True(() => pair[0].Statistics.LeasesWon == 1, "the lease is won");
        long before = long.Parse((await server.StatsAsync())["cmd_get"], System.Globalization.CultureInfo.InvariantCulture);
        Task<int>[] waiting = [.. Enumerable.Range(0, 100).Select(_ => pair[1].Get("slow", static _ => new ValueTask<int>(2)).AsTask())];
        await Task.WhenAll([first, .. waiting]).WaitAsync(Eventually.Limit);
        long asked = long.Parse((await server.StatsAsync())["cmd_get"], System.Globalization.CultureInfo.InvariantCulture) - before;
        Assert.All(waiting, static task => Assert.Equal(1, task.Result));
        Assert.InRange(asked, 5, 60); // some ten in the first fifth of a second, five a second after that, and the tags'
        Assert.Equal(1, pair[1].Statistics.LeasesWaitedFor);
    }

    [MemcachedFact]
    public async Task A_failed_factory_gives_its_exception_and_its_lease_at_once()
    {
        Instance[] pair = Make(2);
        var go = new TaskCompletionSource();
        Task<int> failing = pair[0].Get<int>("key", async _ => { await go.Task; throw new FormatException("mine"); }).AsTask();
        await Eventually.True(() => pair[0].Statistics.LeasesWon == 1, "the lease is won");
        Task<int> waiting = pair[1].Get("key", static _ => new ValueTask<int>(2)).AsTask();
        await Eventually.True(() => pair[1].Statistics.LeasesWaitedFor == 1, "the other waits");
        long failedAt = Stopwatch.GetTimestamp();
        go.SetResult();
        Assert.Equal("mine", (await Assert.ThrowsAsync<FormatException>(() => failing)).Message);
        Assert.Equal(2, await waiting.WaitAsync(Eventually.Limit));
        Assert.True(Stopwatch.GetElapsedTime(failedAt) < TimeSpan.FromSeconds(5), "it did not wait for the lease to run out");
        Assert.Equal(2, await pair[0].Get("key", static _ => new ValueTask<int>(3)));
    }

    [MemcachedFact]
    public async Task A_remove_during_the_factory_wins_whichever_instance_removes()
    {
        Instance[] pair = Make(2);
        for (int round = 0; round < 10; round++)
        {
            string key = "key" + round;
            var go = new TaskCompletionSource();
            Task<string> first = pair[0].Get(key, async _ => { await go.Task; return "old"; }).AsTask();
            await Eventually.True(() => pair[0].Statistics.LeasesWon >= round + 1, "the lease is won");
            await pair[round % 2].Cache.RemoveAsync(key);
            go.SetResult();
            Assert.Equal("old", await first.WaitAsync(Eventually.Limit));
            Assert.Null(await pair[0].Peek<string>(key));
            Assert.Null(await pair[1].Peek<string>(key));
            Assert.Null(await pair[0].PeekCluster<string>(key));
        }

        Assert.Equal(10, pair[0].Statistics.LeasesLost);
    }

    [MemcachedFact]
    public async Task Who_comes_after_the_remove_does_not_get_the_older_value()
    {
        Instance[] pair = Make(2);
        for (int who = 0; who < 2; who++)
        {
            string key = "key" + who;
            var go = new TaskCompletionSource();
            Task<string> first = pair[0].Get(key, async _ => { await go.Task; return "old"; }).AsTask();
            await Eventually.True(() => pair[0].Statistics.FactoryRuns == 1 + (who * 2), "the factory runs");
            await pair[who].Cache.RemoveAsync(key);

            // The first is still under way; this one neither joins it nor waits for it.
            Assert.Equal("new", await pair[who].Get(key, static _ => new ValueTask<string>("new")).AsTask().WaitAsync(Eventually.Limit));
            go.SetResult();
            Assert.Equal("old", await first.WaitAsync(Eventually.Limit));
            Assert.Equal("new", await pair[0].Peek<string>(key));
            Assert.Equal("new", await pair[1].Peek<string>(key));
            await pair[who].Cache.RemoveAsync(key);
        }
    }

    [MemcachedFact]
    public async Task A_set_during_the_factory_wins()
    {
        Instance[] pair = Make(2);
        for (int who = 0; who < 2; who++)
        {
            string key = "key" + who;
            var go = new TaskCompletionSource();
            Task<string> first = pair[0].Get(key, async _ => { await go.Task; return "made"; }).AsTask();
            await Eventually.True(() => pair[0].Statistics.FactoryRuns == who + 1, "the factory runs");
            await pair[who].Cache.SetAsync(key, "set");
            go.SetResult();
            Assert.Equal("made", await first.WaitAsync(Eventually.Limit));
            Assert.Equal("set", await pair[0].Peek<string>(key));
            Assert.Equal("set", await pair[1].Peek<string>(key));
        }
    }

    [MemcachedFact]
    public async Task One_who_leaves_does_not_cancel_the_factory_for_the_others_and_the_last_one_does()
    {
        Instance one = Make(1)[0];
        using var cancelFirst = new CancellationTokenSource();
        using var cancelSecond = new CancellationTokenSource();
        var started = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        CancellationToken seen = default;
        ValueTask<int> Factory(CancellationToken token)
        {
            seen = token;
            started.TrySetResult();
            return new ValueTask<int>(go.Task.ContinueWith(static _ => 1, token, TaskContinuationOptions.None, TaskScheduler.Default));
        }

        Task<int> first = one.Get("key", Factory, token: cancelFirst.Token).AsTask();
        await started.Task.WaitAsync(Eventually.Limit);
        Task<int> second = one.Get("key", Factory, token: cancelSecond.Token).AsTask();
        Task<int> third = one.Get("key", Factory).AsTask();
        await cancelFirst.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.WaitAsync(Eventually.Limit));
        await cancelSecond.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second.WaitAsync(Eventually.Limit));
        Assert.False(seen.IsCancellationRequested);
        go.SetResult();
        Assert.Equal(1, await third.WaitAsync(Eventually.Limit));

        // And when all leave, the factory is told, and the lease is free at once.
        using var cancelAll = new CancellationTokenSource();
        var running = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        Task<int>[] leaving = [.. Enumerable.Range(0, 5).Select(_ => one.Get<int>("other", async token =>
        {
            running.TrySetResult();
            await using CancellationTokenRegistration registration = token.Register(() => cancelled.SetResult());
            await Task.Delay(Timeout.Infinite, token);
            return 0;
        }, token: cancelAll.Token).AsTask())];
        await running.Task.WaitAsync(Eventually.Limit);
        await cancelAll.CancelAsync();
        foreach (Task<int> task in leaving)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task.WaitAsync(Eventually.Limit));
        }

        await cancelled.Task.WaitAsync(Eventually.Limit);
        Assert.Equal(2, await one.Get("other", static _ => new ValueTask<int>(2)).AsTask().WaitAsync(Eventually.Limit));
        await Eventually.True(() => one.Cache.Parts.GetOrCreate.SingleFlightCount == 0, "no single flight is left");
    }

    [MemcachedFact]
    public async Task One_who_waits_for_another_process_can_leave()
    {
        Instance[] pair = Make(2);
        var go = new TaskCompletionSource();
        Task<int> holder = pair[0].Get("key", async _ => { await go.Task; return 1; }).AsTask();
        await Eventually.True(() => pair[0].Statistics.LeasesWon == 1, "the lease is won");
        using var cancel = new CancellationTokenSource();
        Task<int> waiting = pair[1].Get("key", static _ => new ValueTask<int>(2), token: cancel.Token).AsTask();
        await Eventually.True(() => pair[1].Statistics.LeasesWaitedFor == 1, "the other waits");
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Eventually.Limit));
        await Eventually.True(() => pair[1].Cache.Parts.GetOrCreate.SingleFlightCount == 0, "no single flight is left");
        go.SetResult();
        Assert.Equal(1, await holder.WaitAsync(Eventually.Limit));
        Assert.Equal(0, pair[1].Statistics.FactoryRuns);
    }

    [MemcachedFact]
    public async Task One_who_has_waited_long_enough_makes_the_value_and_keeps_it_nowhere()
    {
        Instance[] pair = Make(2, static options => options.Hybrid.MaximumLeaseWait = TimeSpan.FromMilliseconds(200));
        var go = new TaskCompletionSource();
        Task<int> holder = pair[0].Get("key", async _ => { await go.Task; return 1; }).AsTask();
        await Eventually.True(() => pair[0].Statistics.LeasesWon == 1, "the lease is won");
        Assert.Equal(2, await pair[1].Get("key", static _ => new ValueTask<int>(2)).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal(0, await pair[1].Peek<int>("key"));
        go.SetResult();
        Assert.Equal(1, await holder.WaitAsync(Eventually.Limit));
        Assert.Equal(1, await pair[1].Get("key", static _ => new ValueTask<int>(3)));
    }

    [MemcachedFact]
    public async Task A_lease_is_worth_nothing_on_a_server_that_was_restarted()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance[] pair = On([server], 2);
        await pair[0].Peek<int>("warm"); // so that the tag of all entries has been read
        var go = new TaskCompletionSource();
        Task<string> first = pair[0].Get("key", async _ => { await go.Task; return "old"; }).AsTask();
        await Eventually.True(() => pair[0].Statistics.FactoryRuns == 1, "the factory runs");
        await server.KillAsync();
        await server.StartAgainAsync();
        await pair[0].Below.ReadableAsync();
        await pair[1].Below.ReadableAsync();

        // The new process counts from one again: these take the numbers up to and beyond the lease's.
        for (int i = 0; i < 20; i++)
        {
            await pair[1].Cache.SetAsync("key", "new" + i);
        }

        go.SetResult();
        Assert.Equal("old", await first.WaitAsync(Eventually.Limit));
        Assert.Equal("new19", await pair[1].PeekCluster<string>("key"));
        Assert.Equal(1, pair[0].Statistics.LeasesLost);
    }

    [MemcachedFact]
    public async Task A_forced_refresh_is_held_against_the_state_from_before_too()
    {
        Instance one = Make(1)[0];
        var force = new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableLocalCacheRead | HybridCacheEntryFlags.DisableDistributedCacheRead };
        await one.Cache.SetAsync("key", "first");
        Assert.Equal("second", await one.Get("key", static _ => new ValueTask<string>("second"), force));
        Assert.Equal("second", await one.PeekCluster<string>("key"));
        Assert.Equal("third", await one.Get("key", async token => { await one.Cache.RemoveAsync("key", token); return "third"; }, force));
        Assert.Null(await one.Peek<string>("key"));
        Assert.Null(await one.PeekCluster<string>("key"));
        Assert.Equal("fourth", await one.Get("none", static _ => new ValueTask<string>("fourth"), force));
        Assert.Equal("fourth", await one.PeekCluster<string>("none"));
    }
}
