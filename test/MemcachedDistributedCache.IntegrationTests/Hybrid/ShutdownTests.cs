using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Two hosts, of which one stops in the middle of something, as at each deployment.</summary>
public sealed class ShutdownTests(ThreeNodes nodes, ITestOutputHelper output) : HybridTestBase(nodes)
{
    /// <summary>
    /// It takes a round trip and one pause of those who wait, about a fifth of a second; a lease that is kept takes a
    /// minute here. What lies between is for a busy machine.
    /// </summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(5);

    public static TheoryData<Ending> Endings => [Ending.Asynchronous, Ending.Synchronous, Ending.CacheOnly, Ending.CacheOnlySynchronous];

    [MemcachedTheory]
    [MemberData(nameof(Endings))]
    public async Task A_host_that_stops_in_a_factory_leaves_the_key_to_the_next_at_once(Ending ending)
    {
        Instance[] pair = Make(3, Patient);
        await pair[1].Peek<int>("warm");
        foreach (bool listens in new[] { true, false })
        {
            var go = new TaskCompletionSource();
            string key = "key" + listens;
            Instance stopping = listens ? pair[0] : pair[2];
            Task<int> factory = stopping.Get(key, async token =>
            {
                await (listens ? Task.Delay(Timeout.Infinite, token) : go.Task);
                return 1;
            }).AsTask();
            await Eventually.True(() => stopping.Statistics.FactoryRuns == 1, "the factory runs");
            Task<int> waiting = pair[1].Get(key, static _ => new ValueTask<int>(2)).AsTask();
            await Eventually.True(() => pair[1].Statistics.LeasesWaitedFor == (listens ? 1 : 2), "the other host waits");
            long stoppedAt = Stopwatch.GetTimestamp();
            await EndAsync(stopping, ending);
            Assert.Equal(2, await waiting.WaitAsync(Eventually.Limit));
            AssertSoon(stoppedAt);
            go.SetResult();
            await factory.WaitAsync(Eventually.Limit).ContinueWith(static _ => { }, TaskScheduler.Default);
            Assert.Equal(2, await pair[1].PeekCluster<int>(key));
        }
    }

    [MemcachedTheory]
    [MemberData(nameof(Endings))]
    public async Task A_host_that_stops_in_a_batch_leaves_all_of_its_keys(Ending ending)
    {
        Instance[] pair = Make(2, Patient);
        await pair[1].Peek<int>("warm");
        string[] keys = [.. Enumerable.Range(0, 50).Select(static i => "key" + i)];
        Task stopped = pair[0].Cache.GetOrCreateManyAsync<int>(keys, static async (_, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return new Dictionary<string, int>();
        }).AsTask();
        await Eventually.True(() => pair[0].Statistics.FactoryRuns == 1, "the factory runs");
        Task<IReadOnlyDictionary<string, int>> waiting = pair[1]
            .Cache.GetOrCreateManyAsync<int>(keys, static (some, _) => new(some.ToDictionary(static key => key, static _ => 2)))
            .AsTask();
        await Eventually.True(() => pair[1].Statistics.LeasesWaitedFor == keys.Length, "the other host waits");
        long stoppedAt = Stopwatch.GetTimestamp();
        await EndAsync(pair[0], ending);
        Assert.Equal(keys.Length, (await waiting.WaitAsync(Eventually.Limit)).Count);
        AssertSoon(stoppedAt);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stopped.WaitAsync(Eventually.Limit));
    }

    [MemcachedTheory]
    [MemberData(nameof(Endings))]
    public async Task A_host_that_stops_in_a_refresh_leaves_it_to_the_next(Ending ending)
    {
        Instance[] pair = Make(
            2,
            static options =>
            {
                Patient(options);
                options.Hybrid.StaleWindow = TimeSpan.FromMinutes(5);
            });
        await pair[0]
            .Get(
                "key",
                static _ => new ValueTask<string>("old"),
                new HybridCacheEntryOptions { Expiration = TimeSpan.FromMilliseconds(100) });
        await Eventually.True(
            async ()
                => (
                    await pair[1]
                        .GetWithSource(
                            "key",
                            static _ => new ValueTask<string>("never"),
                            new() { Flags = HybridCacheEntryFlags.DisableDistributedCacheWrite })).Source == MemcachedHybridSource.Stale,
            "the entry has expired");
        await Eventually.True(
            async () =>
            {
                await pair[0]
                    .Get(
                        "key",
                        static async token =>
                        {
                            await Task.Delay(Timeout.Infinite, token);
                            return "never";
                        });
                return pair[0].Statistics.RefreshesStarted == 1;
            },
            "the refresh runs");
        await EndAsync(pair[0], ending);
        long stoppedAt = Stopwatch.GetTimestamp();
        await Eventually.True(async () => await pair[1].Get("key", static _ => new ValueTask<string>("new")) == "new", "the other host has refreshed");

        // It may have found the lease taken just before, and rests for a second then.
        AssertSoon(stoppedAt);
    }

    [MemcachedFact]
    public async Task What_is_removed_or_invalidated_as_a_host_stops_is_so_for_all()
    {
        Instance[] pair = Make(3);
        for (int i = 0; i < 100; i++)
        {
            await pair[1].Cache.SetAsync("removed" + i, i);
            await pair[1].Cache.SetAsync("tagged" + i, i, tags: ["t" + i]);
        }

        Task[] changes =
        [
            .. Enumerable
                .Range(0, 100)
                .SelectMany(i =>
                    new[] { pair[0].Cache.RemoveAsync("removed" + i).AsTask(), pair[0].Cache.RemoveByTagAsync("t" + i).AsTask() }),
        ];
        pair[0].Cache.Dispose();
        pair[0].Below.Dispose();
        Assert.All(changes, static change => Assert.True(change.IsCompletedSuccessfully));
        Instance fresh = pair[2];
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(0, await fresh.PeekCluster<int>("removed" + i));
            Assert.Equal(0, await fresh.PeekCluster<int>("tagged" + i));
        }
    }

    [MemcachedFact]
    public async Task Removals_that_were_refused_are_made_up_for_before_the_connections_close()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        string space = Instance.Space();
        await using Instance other = Instance.On([server.Server], space);
        string[] keys = [.. Enumerable.Range(0, 5000).Select(static i => "key" + i)];
        await Task.WhenAll(keys.Select(key => other.Below.SetAsync(key, [1], new())));
        Instance stopping = Instance.On([server.Server], space, static options => options.MaximumPendingOperations = 20);
        await stopping.Below.GetAsync("warm");
        Task[] removals = [.. keys.Select(key => stopping.Below.RemoveAsync(key))];
        int refused = stopping.Below.GetNodes()[0].UncertainKeys;
        await stopping.DisposeAsync();
        await Task.WhenAll(removals).WaitAsync(Eventually.Limit);
        Assert.InRange(refused, 1, int.MaxValue);
        Assert.All(await Task.WhenAll(keys.Select(key => other.Below.GetAsync(key))), Assert.Null);
    }

    [MemcachedFact]
    public async Task A_server_that_does_not_answer_holds_no_host_up_for_long()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance one = On([server], 1, static options => options.OperationTimeout = TimeSpan.FromMinutes(1))[0];
        await one.Peek<int>("warm");
        Task factory = one.Get("key", static async token => { await Task.Delay(Timeout.Infinite, token); return 1; }).AsTask();
        await Eventually.True(() => one.Statistics.FactoryRuns == 1, "the factory runs");
        server.Freeze();
        long stoppedAt = Stopwatch.GetTimestamp();
        await one.Cache.DisposeAsync();
        Assert.InRange(Stopwatch.GetElapsedTime(stoppedAt), TimeSpan.FromSeconds(4.5), TimeSpan.FromSeconds(9));
        server.Thaw();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => factory.WaitAsync(Eventually.Limit));
    }

    [MemcachedFact]
    public async Task A_lease_that_is_won_as_the_host_stops_is_given_back()
    {
        Instance[] pair = Make(22);
        await pair[1].Peek<int>("warm");
        for (int round = 0; round < 20; round++)
        {
            Instance stopping = pair[round + 2];
            await stopping.Peek<int>("warm");
            Task[] asking = [.. Enumerable.Range(0, 20).Select(i => stopping.Get($"key {round} {i}", static async token => { await Task.Delay(Timeout.Infinite, token); return 1; }).AsTask())];
            await stopping.DisposeAsync();
            await Task.WhenAll(asking).WaitAsync(Eventually.Limit).ContinueWith(static _ => { }, TaskScheduler.Default);
            for (int i = 0; i < asking.Length; i++)
            {
                Assert.Equal(2, await pair[1].Get($"key {round} {i}", static _ => new ValueTask<int>(2)).AsTask().WaitAsync(Eventually.Limit));
            }
        }

        Assert.Equal(0, pair[1].Statistics.LeasesWaitedFor);
    }

    public enum Ending
    {
        Asynchronous,
        Synchronous,
        CacheOnly,
        CacheOnlySynchronous,
    }

    private static void Patient(MemcachedCacheOptions options) => options.Hybrid.LeaseTime = TimeSpan.FromMinutes(1);

    private void AssertSoon(long stoppedAt)
    {
        TimeSpan took = Stopwatch.GetElapsedTime(stoppedAt);
        output.WriteLine($"{took.TotalMilliseconds:0} ms");
        Assert.True(took < Soon, $"after {took}");
    }

    private static async Task EndAsync(Instance instance, Ending ending)
    {
        switch (ending)
        {
            case Ending.Asynchronous:
                await instance.DisposeAsync();
                break;
            case Ending.Synchronous:
                instance.Dispose();
                break;
            case Ending.CacheOnly:
                // Who has made them by hand may end the one below first.
                await instance.Below.DisposeAsync();
                break;
            default:
                instance.Below.Dispose();
                break;
        }
    }
}
