using System.Diagnostics;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>The local cache: it follows the others, and is bounded.</summary>
public sealed class LocalTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    [MemcachedFact]
    public async Task A_set_and_a_remove_elsewhere_are_seen_within_the_bound()
    {
        Instance[] pair = Make(2);
        for (int round = 0; round < 3; round++)
        {
            await pair[0].Cache.SetAsync("key", "first");
            await Eventually.True(async () => await pair[1].Peek<string>("key") == "first", "the other has it");
            await pair[0].Cache.SetAsync("key", "second");
            long changed = Stopwatch.GetTimestamp();
            await SeenWithin(TimeSpan.FromSeconds(1), changed, async () => await pair[1].Peek<string>("key") == "second", "the other sees the set");
            await pair[1].Cache.RemoveAsync("key");
            changed = Stopwatch.GetTimestamp();
            await SeenWithin(TimeSpan.FromSeconds(1), changed, async () => await pair[0].Peek<string>("key") is null, "the other sees the removal");
        }
    }

    [MemcachedFact(MetaOnly = "A classic command tells the CAS of an item with its value.")]
    public async Task A_revalidation_moves_no_value_and_is_made_once_for_all_who_wait()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using Instance one = Instance.On([proxy.Server], Instance.Space(), static options =>
        {
            options.Hybrid.LocalCacheRevalidation = TimeSpan.FromMilliseconds(300);
            options.Hybrid.TagRefreshInterval = TimeSpan.FromHours(1);
        });
        byte[] value = new byte[100_000];
        await one.Get("key", _ => new ValueTask<byte[]>(value));
        long sent = await Stat(server, "bytes_written");
        long touched = await Stat(server, "cmd_get");
        for (int round = 1; round <= 3; round++)
        {
            long before = one.Statistics.Revalidations;
            TimeSpan took = TimeSpan.Zero;
            await Eventually.True(
                async () =>
                {
                    long began = Stopwatch.GetTimestamp();
                    await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => one.Get<byte[]>("key", static _ => throw new InvalidOperationException()).AsTask()));
                    took = Stopwatch.GetElapsedTime(began);
                    return one.Statistics.Revalidations > before;
                },
                "it is revalidated");

            // On a busy machine the fifty may take longer than a copy is good for, and the last of them find it due again.
            Assert.InRange(one.Statistics.Revalidations - before, 1, 1 + (long)(took / TimeSpan.FromMilliseconds(300)));
        }

        Assert.Equal(one.Statistics.Revalidations, await Stat(server, "cmd_get") - touched);
        Assert.InRange(await Stat(server, "bytes_written") - sent, 1, 20_000); // the statistics themselves among them
    }

    [MemcachedFact]
    public async Task Bytes_and_entries_are_bounded()
    {
        Instance few = Make(1, static options => options.Hybrid.MaximumLocalEntries = 50)[0];
        Instance small = Make(1, static options => options.Hybrid.MaximumLocalBytes = 65_536)[0];
        for (int i = 0; i < 500; i++)
        {
            await few.Cache.SetAsync("key" + i, i);
            await small.Cache.SetAsync("key" + i, new byte[5_000]);
            Assert.InRange(few.Statistics.LocalEntries, 0, 50);
            Assert.InRange(small.Statistics.LocalEntries, 0, 65_536 / 5_000);
        }

        // What has no place here is still in the cluster.
        for (int i = 0; i < 500; i++)
        {
            Assert.Equal(i, await few.Get<int>("key" + i, static _ => throw new InvalidOperationException()));
        }
    }

    [MemcachedFact]
    public async Task A_copy_is_not_held_against_a_server_that_was_restarted()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance[] pair = On([server], 2, static options => options.Hybrid.LocalCacheRevalidation = TimeSpan.FromMilliseconds(100));
        await pair[0].Cache.SetAsync("key", "old");
        Assert.Equal("old", await pair[0].Peek<string>("key"));
        await server.KillAsync();
        await server.StartAgainAsync();
        await pair[0].Below.ReadableAsync();
        await pair[1].Below.ReadableAsync();

        // Each process believes the versions of tags only from its own fence on, and until both are past theirs, one
        // may replace what the other has just stored.
        await Eventually.True(
            async () =>
            {
                await pair[1].Cache.SetAsync("other", "x");
                return await pair[0].Peek<string>("other") == "x" && await pair[1].Peek<string>("other") == "x";
            },
            "both use one version");

        // The new process's numbers pass by the one that the copy has.
        for (int i = 0; i < 20; i++)
        {
            await pair[1].Cache.SetAsync("key", "new" + i);
            await Eventually.True(async () => await pair[0].Peek<string>("key") == "new" + i, "the copy follows");
        }
    }

    [MemcachedFact]
    public async Task Entries_that_were_kept_out_of_the_cluster_are_not_held_against_it()
    {
        Instance one = Make(1, static options => options.Hybrid.LocalCacheRevalidation = TimeSpan.Zero)[0];
        var own = new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableDistributedCache };
        await one.Cache.SetAsync("key", 1, own);
        Assert.Equal(1, await one.Peek<int>("key"));
        Assert.Equal(1, await one.Get("key", static _ => new ValueTask<int>(2), own));
        Assert.Equal(0, one.Statistics.Revalidations);
        await one.Cache.RemoveAsync("key");
        Assert.Equal(0, await one.Peek<int>("key"));
    }

    private static async Task<long> Stat(MemcachedProcess server, string name)
        => long.Parse((await server.StatsAsync())[name], System.Globalization.CultureInfo.InvariantCulture);
}
