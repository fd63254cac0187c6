using System.Diagnostics;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Tags: at once here, within the interval elsewhere, and never back.</summary>
public sealed class TagTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    [MemcachedFact]
    public async Task An_invalidated_tag_is_seen_at_once_here_and_within_the_interval_elsewhere()
    {
        Instance[] pair = Make(2);
        for (int round = 0; round < 3; round++)
        {
            await pair[0].Cache.SetAsync("a", "old" + round, tags: ["x", "y"]);
            await pair[0].Cache.SetAsync("b", "old" + round, tags: ["y"]);
            await pair[0].Cache.SetAsync("c", "old" + round);
            foreach (Instance instance in pair)
            {
                Assert.Equal("old" + round, await instance.Get("a", static _ => new ValueTask<string>("never")));
                Assert.Equal("old" + round, await instance.Get("b", static _ => new ValueTask<string>("never")));
                Assert.Equal("old" + round, await instance.Get("c", static _ => new ValueTask<string>("never")));
            }

            await pair[0].Cache.RemoveByTagAsync("x");
            long invalidatedAt = Stopwatch.GetTimestamp();
            Assert.Null(await pair[0].Peek<string>("a"));
            Assert.Null(await pair[0].PeekCluster<string>("a"));
            Assert.Equal("old" + round, await pair[0].Peek<string>("b"));
            await SeenWithin(TimeSpan.FromSeconds(1), invalidatedAt, async () => await pair[1].Peek<string>("a") is null, "the other sees it");
            Assert.Equal("old" + round, await pair[1].Peek<string>("b"));

            await pair[1].Cache.RemoveByTagAsync(["y", "z"]);
            Assert.Null(await pair[1].Peek<string>("b"));
            await Eventually.True(async () => await pair[0].Peek<string>("b") is null, "the other sees it");
            Assert.Equal("old" + round, await pair[0].Peek<string>("c"));
            Assert.Equal("new", await pair[0].Get("a", static _ => new ValueTask<string>("new"), tags: ["x"]));
            Assert.Equal("new", await pair[0].Peek<string>("a"));
            await pair[0].Cache.RemoveAsync(["a", "b", "c"]);
            await pair[1].Cache.RemoveAsync(["a", "b", "c"]);
        }
    }

    [MemcachedFact]
    public async Task The_star_invalidates_all_entries_those_without_tags_too()
    {
        Instance[] pair = Make(2);
        string[] keys = [.. Enumerable.Range(0, 30).Select(static i => "key" + i)];
        foreach (string key in keys)
        {
            await pair[0].Cache.SetAsync(key, 1, tags: key.EndsWith('3') ? ["t"] : null);
            Assert.Equal(1, await pair[1].Peek<int>(key));
        }

        await pair[1].Cache.RemoveByTagAsync("*");
        foreach (string key in keys)
        {
            Assert.Equal(0, await pair[1].Peek<int>(key));
        }

        await Eventually.True(async () => await pair[0].Peek<int>(keys[0]) == 0, "the other sees it");
        foreach (string key in keys)
        {
            await Eventually.True(async () => await pair[0].Peek<int>(key) == 0, "the other sees it");
            Assert.Equal(2, await pair[0].Get(key, static _ => new ValueTask<int>(2)));
        }

        await Assert.ThrowsAsync<ArgumentException>(async () => await pair[0].Cache.SetAsync("key", 1, tags: ["*"]));
        await Assert.ThrowsAsync<ArgumentException>(async () => await pair[0].Cache.SetAsync("key", 1, tags: [" "]));
        await Assert.ThrowsAsync<ArgumentException>(async () => await pair[0].Get("none", static _ => new ValueTask<int>(1), tags: [""]));

        // As the abstraction has it: null is empty, and what no entry can have is nobody's.
        await pair[0].Cache.RemoveByTagAsync("");
        await pair[0].Cache.RemoveByTagAsync((IEnumerable<string>)null!);
        await pair[0].Cache.RemoveAsync((IEnumerable<string>)null!);
        Assert.Equal(2, await pair[0].Peek<int>(keys[0]));
    }

    [MemcachedFact]
    public async Task What_a_factory_made_that_began_before_the_invalidation_is_invalid()
    {
        Instance[] pair = Make(2);
        for (int who = 0; who < 2; who++)
        {
            string key = "key" + who;
            var go = new TaskCompletionSource();
            Task<string> first = pair[0].Get(key, async _ => { await go.Task; return "old"; }, tags: ["t"]).AsTask();
            await Eventually.True(() => pair[0].Statistics.FactoryRuns == 1 + (who * 2), "the factory runs");
            await pair[who].Cache.RemoveByTagAsync("t");
            if (who == 0)
            {
                // Who comes after it does not join it, but waits for its turn.
                Task<string> second = pair[0].Get(key, static _ => new ValueTask<string>("new"), tags: ["t"]).AsTask();
                go.SetResult();
                Assert.Equal("old", await first.WaitAsync(Eventually.Limit));
                Assert.Equal("new", await second.WaitAsync(Eventually.Limit));
                continue;
            }

            go.SetResult();
            Assert.Equal("old", await first.WaitAsync(Eventually.Limit));
            Assert.Null(await pair[1].Peek<string>(key));
            await Eventually.True(async () => await pair[0].Peek<string>(key) is null, "the other sees it");
        }
    }

    [MemcachedFact]
    public async Task A_tag_version_that_was_lost_never_brings_an_old_entry_back()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance[] pair = On([server], 2);
        await pair[0].Cache.SetAsync("key", "old", tags: ["t"]);
        Assert.Equal("old", await pair[1].Peek<string>("key"));
        await pair[0].Cache.RemoveByTagAsync("t");

        // The invalidation's version goes, as under memory pressure, before the other has heard of it.
        Assert.True(await Wire.DeleteAsync(server, pair[0].Cache.Parts.Keys.Encode("t", Layout.HybridSpace.Tag)));
        await Eventually.True(async () => await pair[1].Peek<string>("key") is null, "the other sees that the tag is not what it was");
        Assert.Null(await pair[0].Peek<string>("key"));
        Instance third = On([server], 1, options => options.Namespace = pair[0].Cache.Parts.Keys.Namespace)[0];
        Assert.Null(await third.Peek<string>("key"));
        Assert.Equal("new", await third.Get("key", static _ => new ValueTask<string>("new"), tags: ["t"]));
        Assert.Equal("new", await third.Peek<string>("key"));
    }

    [MemcachedFact]
    public async Task A_superseded_version_that_comes_back_is_replaced()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance[] pair = On([server], 2, static options => options.Hybrid.TagRefreshInterval = TimeSpan.FromMilliseconds(100));
        byte[] tagKey = pair[0].Cache.Parts.Keys.Encode("t", Layout.HybridSpace.Tag);
        await pair[0].Cache.SetAsync("key", "old", tags: ["t"]);
        byte[] superseded = (await Wire.GetAsync(server, tagKey))!;
        await pair[0].Cache.RemoveByTagAsync("t");
        byte[] next = (await Wire.GetAsync(server, tagKey))!;
        Assert.NotEqual(superseded, next);

        // As a server does that was away while the tag was invalidated elsewhere.
        await Wire.SetAsync(server, tagKey, superseded);
        await Eventually.True(
            async () =>
            {
                Assert.Null(await pair[0].Peek<string>("key"));
                return await Wire.GetAsync(server, tagKey) is { } now && !now.AsSpan().SequenceEqual(superseded);
            },
            "the version is replaced");
        await Eventually.True(async () => await pair[1].Peek<string>("key") is null, "and the entry is gone for all");
    }

    [MemcachedFact]
    public async Task An_invalidation_that_could_not_be_delivered_holds_here_and_is_delivered_later()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance[] pair = On([server], 2, static options =>
        {
            options.OperationTimeout = TimeSpan.FromMilliseconds(500);
            options.Hybrid.TagRefreshInterval = TimeSpan.FromMilliseconds(100);
        });
        await Eventually.True(
            async () =>
            {
                // The short limit is for the frozen server; the first connections may take longer on a busy machine.
                await pair[0].Cache.SetAsync("key", "old", tags: ["t"]);
                return await pair[0].Peek<string>("key") == "old" && await pair[1].Peek<string>("key") == "old";
            },
            "both have it");

        // Frozen, it keeps its memory: the old entry and the old version.
        server.Freeze();
        await pair[0].Cache.RemoveByTagAsync("t");
        Assert.Null(await pair[0].Peek<string>("key"));
        server.Thaw();
        for (int i = 0; i < 20; i++)
        {
            Assert.Null(await pair[0].Peek<string>("key"));
        }

        await Eventually.True(
            async ()
                => await pair[0].Get("other", static _ => new ValueTask<int>(1), tags: ["t"]) == 1
                    && pair[0].Below.GetNodes()[0].State == MemcachedNodeState.Up,
            "the server is back");
        await Eventually.True(async () => await pair[1].Peek<string>("key") is null, "the other hears of it");
        Assert.Null(await pair[0].Peek<string>("key"));
    }

    [MemcachedFact]
    public async Task One_factory_run_follows_an_invalidation_however_long_others_go_by_what_they_knew()
    {
        Instance[] six = Make(6, static options =>
        {
            options.Hybrid.TagRefreshInterval = TimeSpan.FromSeconds(10);
            options.Hybrid.LocalCacheRevalidation = TimeSpan.FromMilliseconds(20);
        });
        int runs = 0;
        ValueTask<int> Make1(CancellationToken token) => new(Interlocked.Increment(ref runs));
        foreach (Instance instance in six)
        {
            Assert.Equal(1, await instance.Get("hot", Make1, tags: ["t"]));
        }

        await six[0].Cache.RemoveByTagAsync("t");
        Assert.Equal(2, await six[0].Get("hot", Make1, tags: ["t"]));
        for (int round = 0; round < 10; round++)
        {
            await Task.WhenAll(six.Select(async instance => await instance.Get("hot", Make1, tags: ["t"])));
            await Task.Delay(25);
        }

        Assert.All(await Task.WhenAll(six.Select(async instance => await instance.Get("hot", Make1, tags: ["t"]))), static value => Assert.Equal(2, value));
        Assert.Equal(2, runs);
    }

    [MemcachedFact]
    public async Task Reads_within_the_interval_cost_no_round_trip()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance one = On([server], 1, static options =>
        {
            options.Hybrid.TagRefreshInterval = TimeSpan.FromHours(1);
            options.Hybrid.LocalCacheRevalidation = TimeSpan.FromHours(1);
        })[0];
        string[] tags = ["a", "b", "c"];
        await one.Get("key", static _ => new ValueTask<int>(1), tags: tags);
        long before = await Gets(server);
        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(1, await one.Get("key", static _ => new ValueTask<int>(2), tags: tags));
        }

        Assert.Equal(before, await Gets(server));
        var past = new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableLocalCache };
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(1, await one.Get("key", static _ => new ValueTask<int>(2), past, tags));
        }

        Assert.Equal(before + 100, await Gets(server));
        Assert.Equal(4, one.Statistics.TagReads); // three tags and the one of all entries
    }

    [MemcachedFact]
    public async Task A_node_that_loses_its_memory_takes_no_other_nodes_entries_with_it()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        Instance one = On([first, second], 1, static options => options.Hybrid.TagRefreshInterval = TimeSpan.FromMilliseconds(50))[0];
        for (int i = 0; i < 40; i++)
        {
            await one.Cache.SetAsync("key" + i, i + 1);
        }

        await first.KillAsync();
        await first.StartAgainAsync();
        await one.Below.ReadableAsync();
        int found = 0;
        await Eventually.True(
            async () =>
            {
                found = 0;
                for (int i = 0; i < 40; i++)
                {
                    int value = await one.PeekCluster<int>("key" + i);
                    Assert.True(value == 0 || value == i + 1);
                    found += value == 0 ? 0 : 1;
                }

                return found < 40;
            },
            "the restarted server is empty");
        Assert.InRange(found, 5, 35);
    }

    private static async Task<long> Gets(MemcachedProcess server)
        => long.Parse((await server.StatsAsync())["cmd_get"], System.Globalization.CultureInfo.InvariantCulture);
}
