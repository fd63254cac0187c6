using System.Diagnostics;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>The cluster is away: values go on, exceptions do not come.</summary>
public sealed class HybridOutageTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    [MemcachedTheory]
    [InlineData(MemcachedFailureMode.Degrade)]
    [InlineData(MemcachedFailureMode.Throw)]
    public async Task Own_copies_and_factories_go_on_once_for_all_callers_and_without_an_exception(MemcachedFailureMode mode)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance one = On([server], 1, options =>
        {
            options.FailureMode = mode;
            options.OperationTimeout = TimeSpan.FromMilliseconds(500);
            options.Hybrid.LocalCacheRevalidation = TimeSpan.FromMilliseconds(100);
            options.Hybrid.TagRefreshInterval = TimeSpan.FromMilliseconds(100);
        })[0];
        await one.Get("before", static _ => new ValueTask<string>("kept"), tags: ["t"]);
        await server.KillAsync();
        await Eventually.True(() => one.Below.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");

        int runs = 0;
        long started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(1))
        {
            Assert.Equal("kept", await one.Get<string>("before", static _ => throw new InvalidOperationException("it is here"), tags: ["t"]));
            Assert.All(
                await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => one.Get("during", async token =>
                {
                    Interlocked.Increment(ref runs);
                    await Task.Delay(20, token);
                    return "made";
                }).AsTask())),
                static value => Assert.Equal("made", value));
            await one.Cache.SetAsync("set", "x", tags: ["t"]);
            Assert.Equal("x", await one.Peek<string>("set"));
            await one.Cache.RemoveAsync("none");
            await one.Cache.GetOrCreateManyAsync(
                ["a", "b"],
                static (missing, _) => new ValueTask<IReadOnlyDictionary<string, int>>(missing.ToDictionary(static k => k, static _ => 1)));
        }

        Assert.Equal(1, runs);
        await one.Cache.RemoveByTagAsync("t");
        Assert.Null(await one.Peek<string>("set"));
        Assert.Null(await one.Peek<string>("before"));
        await Assert.ThrowsAsync<FormatException>(async () => await one.Get<int>("failing", static _ => throw new FormatException()));

        // What was kept alone is not believed for longer than it has to be.
        await server.StartAgainAsync();
        await one.Below.ReadableAsync();
        // The first that is made may find the key still uncertain, and be kept here alone once more.
        await Eventually.True(
            async () => await one.Get("during", static _ => new ValueTask<string>("after")) == "after" && await one.PeekCluster<string>("during") == "after",
            "the cluster is asked, and has it, again");
    }

    [MemcachedFact]
    public async Task A_frozen_server_costs_no_call_more_than_a_few_limits()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        TimeSpan limit = TimeSpan.FromMilliseconds(300);
        Instance one = On([server], 1, options => options.OperationTimeout = limit)[0];
        await one.Get("before", static _ => new ValueTask<int>(1));
        server.Freeze();
        long started = Stopwatch.GetTimestamp();
        Assert.Equal(2, await one.Get("during", static _ => new ValueTask<int>(2)).AsTask().WaitAsync(Eventually.Limit));
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, (limit * 5) + TimeSpan.FromSeconds(2));
        server.Thaw();
        await Eventually.True(async () => await one.PeekCluster<int>("before") == 1, "the server is back");
    }

    [MemcachedFact]
    public async Task A_removal_that_failed_is_made_up_for()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance[] pair = On([server], 2, static options => options.OperationTimeout = TimeSpan.FromMilliseconds(500));
        await pair[0].Cache.SetAsync("removed", "old");
        await pair[0].Cache.SetAsync("set", "old");
        server.Freeze();
        await pair[0].Cache.RemoveAsync("removed");
        await pair[0].Cache.SetAsync("set", "new");
        Assert.Null(await pair[0].Peek<string>("removed"));
        Assert.Equal("new", await pair[0].Peek<string>("set"));
        server.Thaw();
        await pair[0].Below.ReadableAsync();
        Assert.Null(await pair[1].PeekCluster<string>("removed"));
        Assert.NotEqual("old", await pair[1].PeekCluster<string>("set"));
    }

    [MemcachedFact]
    public async Task Who_saw_a_server_down_serves_nothing_that_another_invalidated_meanwhile()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        string space = Instance.Space();
        await using Instance seeing = Instance.On([proxy.Server], space, static options => options.Hybrid.TagRefreshInterval = TimeSpan.Zero);
        await using (Instance invalidating = Instance.On([proxy.Server], space))
        {
            await invalidating.Cache.SetAsync("key", "old", tags: ["t"]);
            Assert.Equal("old", await seeing.PeekCluster<string>("key"));
            await proxy.ApplyAsync(Fault.Refuse);
            proxy.DropConnections(reset: true);
            foreach (Instance each in new[] { seeing, invalidating })
            {
                await Eventually.True(() => each.Below.GetNodes()[0].State == MemcachedNodeState.Down, "the server is down");
            }

            await invalidating.Cache.RemoveByTagAsync("t");
        }

        // Who invalidated has ended, and what it could not deliver is lost; the server has its version of before.
        await proxy.ApplyAsync(Fault.None);
        await seeing.Below.ReadableAsync();
        Assert.Null(await seeing.PeekCluster<string>("key"));
        await Eventually.True(
            async ()
                => await seeing.Get("key", static _ => new ValueTask<string>("new"), tags: ["t"]) == "new"
                    && await seeing.PeekCluster<string>("key") == "new",
            "it is cached again");
    }

    [MemcachedFact]
    public async Task A_lease_of_one_outage_undoes_no_removal_in_the_next()
    {
        await using MemcachedProcess owner = await MemcachedProcess.StartAsync();
        await using MemcachedProcess gutterNode = await MemcachedProcess.StartAsync();
        Instance one = On([owner, gutterNode], 1, static options => options.Hybrid.LeaseTime = TimeSpan.FromMinutes(1))[0];
        string[] keys = await KeysOnAsync(one, owner, 2);
        await DownAsync();
        var go = new TaskCompletionSource();
        Task<string> making = one.Get(keys[0], async _ => { await go.Task; return "old"; }).AsTask();
        await Eventually.True(() => one.Statistics.FactoryRuns == 1, "the factory runs");

        await owner.StartAgainAsync();
        await one.Below.ReadableAsync();
        await one.Cache.RemoveAsync(keys[0]);
        await DownAsync();
        go.SetResult();
        Assert.Equal("old", await making.WaitAsync(Eventually.Limit));
        Assert.Equal(1, one.Statistics.LeasesLost);
        Assert.Null(await one.PeekCluster<string>(keys[0]));
        Assert.Null(await one.Peek<string>(keys[0]));

        // And the place is free for the next.
        Assert.Equal("new", await one.Get(keys[0], static _ => new ValueTask<string>("new")).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal("new", await one.PeekCluster<string>(keys[0]));

        async Task DownAsync()
        {
            await owner.KillAsync();
            await Eventually.True(() => one.Below.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
            await Eventually.True(
                async () =>
                {
                    await one.Cache.SetAsync(keys[1], "x");
                    return await one.PeekCluster<string>(keys[1]) == "x";
                },
                "the other stands in");
        }
    }

    [MemcachedFact]
    public async Task A_lease_whose_answer_comes_too_late_keeps_nobody_waiting()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        string space = Instance.Space();
        await using Instance far = Instance.On([proxy.EndPoint.ToString()!], space, options =>
        {
            Configure(options);
            options.OperationTimeout = TimeSpan.FromSeconds(1);
        });
        await using Instance near = Instance.On([server.Server], space, Configure);
        await far.Below.ReadableAsync();
        await far.Peek<string>("warm");
        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        Assert.Equal("alone", await far.Get("key", static _ => new ValueTask<string>("alone")).AsTask().WaitAsync(Eventually.Limit));
        await proxy.ApplyAsync(Fault.None);
        Assert.Equal("made", await near.Get("key", static _ => new ValueTask<string>("made")).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal("made", await near.PeekCluster<string>("key"));

        static void Configure(MemcachedCacheOptions options)
        {
            options.Hybrid.LeaseTime = TimeSpan.FromMinutes(5);
            options.Hybrid.MaximumLeaseWait = TimeSpan.FromMinutes(5);
        }
    }

    [MemcachedFact]
    public async Task A_tag_version_on_a_stand_in_is_not_stored_again_and_again()
    {
        await using MemcachedProcess owner = await MemcachedProcess.StartAsync();
        await using MemcachedProcess gutterNode = await MemcachedProcess.StartAsync();
        Instance one = On([owner, gutterNode], 1, static options => options.Hybrid.TagRefreshInterval = TimeSpan.FromMilliseconds(50))[0];
        await one.Below.ReadableAsync();
        string tag = "";
        byte[] key = [];
        for (int i = 0; key.Length == 0 || await Wire.GetAsync(owner, key) is null; i++)
        {
            Assert.True(i < 1000, "the server has no tags");
            tag = "tag" + i;
            key = one.Cache.Parts.Keys.Encode(tag, Layout.HybridSpace.Tag);
            await one.Cache.SetAsync("key", "x", tags: [tag]);
        }

        await owner.KillAsync();
        await Eventually.True(() => one.Below.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        await Eventually.True(
            async () =>
            {
                await one.Cache.SetAsync("key", "y", tags: [tag]);
                return await one.PeekCluster<string>("key") == "y" && await Wire.GetAsync(gutterNode, key) is not null;
            },
            "the other stands in");
        // The first reads may still come before the server's number is known, and replace it.
        await Eventually.True(
            async () =>
            {
                string state = await Wire.StateAsync(gutterNode, key);
                for (
                    long read = one.Cache.Parts.Context.Counters[MemcachedDistributedCache.Hybrid.HybridEvent.TagRead];
                    one.Cache.Parts.Context.Counters[MemcachedDistributedCache.Hybrid.HybridEvent.TagRead] < read + 10;
)
                {
                    await one.Cache.SetAsync("key", "y", tags: [tag]);
                }

                return await Wire.StateAsync(gutterNode, key) == state;
            },
            "it is read again and again, and not stored");
        Assert.NotNull(await Wire.GetAsync(gutterNode, key));
    }

    [MemcachedFact]
    public async Task A_lease_on_a_stand_in_lives_as_long_as_any()
    {
        await using MemcachedProcess owner = await MemcachedProcess.StartAsync();
        await using MemcachedProcess gutterNode = await MemcachedProcess.StartAsync();
        Instance[] pair = On([owner, gutterNode], 2, static options => options.GutterTimeToLive = TimeSpan.FromSeconds(1));
        string[] keys = await KeysOnAsync(pair[0], owner, 2);
        await owner.KillAsync();
        foreach (Instance one in pair)
        {
            await Eventually.True(() => one.Below.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
            await Eventually.True(
                async () =>
                {
                    await one.Cache.SetAsync(keys[1], "x");
                    return await one.PeekCluster<string>(keys[1]) == "x";
                },
                "the other stands in");
        }

        // For longer than to the second renewal, which comes after five seconds and a half.
        var go = new TaskCompletionSource();
        Task<string> making = pair[0].Get(keys[0], async _ => { await go.Task; return "made"; }).AsTask();
        await Eventually.True(() => pair[0].Statistics.FactoryRuns == 1, "the factory runs");
        byte[] key = pair[0].Cache.Parts.Keys.Encode(keys[0], Layout.HybridSpace.Entry);
        for (long started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(6);)
        {
            Assert.NotNull(await Wire.GetAsync(gutterNode, key));
            await Task.Delay(50);
        }

        Task<string> waiting = pair[1].Get(keys[0], static _ => new ValueTask<string>("theirs")).AsTask();
        await Eventually.True(() => pair[1].Statistics.LeasesWaitedFor + pair[1].Statistics.FactoryRuns == 1, "the other waits, or makes it too");
        go.SetResult();
        Assert.Equal("made", await making.WaitAsync(Eventually.Limit));
        Assert.Equal("made", await waiting.WaitAsync(Eventually.Limit));
    }

    /// <summary>Keys that a server has the entries of; they are empty.</summary>
    private static async Task<string[]> KeysOnAsync(Instance one, MemcachedProcess owner, int count)
    {
        await one.Below.ReadableAsync();
        var keys = new List<string>();
        for (int i = 0; keys.Count < count; i++)
        {
            Assert.True(i < 1000, "the server has no keys");
            string key = "key" + i;
            await one.Cache.SetAsync(key, "x");
            if (await Wire.GetAsync(owner, one.Cache.Parts.Keys.Encode(key, Layout.HybridSpace.Entry)) is not null)
            {
                keys.Add(key);
            }

            await one.Cache.RemoveAsync(key);
        }

        return [.. keys];
    }

    [MemcachedFact]
    public async Task A_server_without_cas_stores_nothing_and_says_so()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-C");
        Instance[] pair = On([server], 2);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal("value", await pair[i % 2].Get("key", static _ => new ValueTask<string>("value")).AsTask().WaitAsync(Eventually.Limit));
        }

        Assert.Equal(2, pair.Sum(static instance => instance.Statistics.FactoryRuns));
        Assert.Single(pair[0].Logger.Texts(LogLevel.Error));
    }

    [MemcachedFact]
    public async Task After_its_end_it_says_so_and_cancels_what_is_under_way()
    {
        Instance one = Make(1)[0];
        var running = new TaskCompletionSource();
        Task<int> under = one.Get("key", async token =>
        {
            running.SetResult();
            await Task.Delay(Timeout.Infinite, token);
            return 1;
        }).AsTask();
        await running.Task.WaitAsync(Eventually.Limit);
        one.Cache.Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => under.WaitAsync(Eventually.Limit));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await one.Get("key", static _ => new ValueTask<int>(1)));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await one.Cache.RemoveByTagAsync("t"));
        Assert.Null(await one.Below.GetAsync("the cache below goes on"));
    }
}
