using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>
/// A value that is too large for the cluster stays in the processes that made it, under a mark in the cluster that all
/// of them see.
/// </summary>
public sealed class OversizeTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    private const int Large = 1_100_000;

    [MemcachedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_is_made_once_in_each_process(bool asks)
    {
        Instance[] pair = Make(2, options => options.Hybrid.LocalCacheRevalidation = asks ? TimeSpan.Zero : TimeSpan.FromHours(1));
        for (int i = 0; i < 5; i++)
        {
            foreach (Instance instance in pair)
            {
                Assert.Equal(Large, (await Get(instance)).Length);
                Assert.Equal(Large, (await instance.Get("text", static _ => new ValueTask<string>(new string('x', Large)))).Length);
                Assert.Equal(
                    Large,
                    (await instance.Get("mutable", static _ => new ValueTask<Mutable>(new Mutable { Text = new string('x', Large) })))
                        .Text
                        .Length);
            }
        }

        Assert.All(pair, static instance => Assert.Equal((3, 3), (instance.Statistics.FactoryRuns, instance.Statistics.OversizeRejections)));
        Assert.All(pair, static instance => Assert.Equal((0, 0), (instance.Statistics.LeasesWaitedFor, instance.Statistics.DeserializationFailures)));

        // Each caller has an object of its own, as of every value that can be changed.
        Assert.NotSame(await pair[0].Peek<Mutable>("mutable"), await pair[0].Peek<Mutable>("mutable"));
        Assert.Null(await pair[1].PeekCluster<byte[]>("large"));
    }

    [MemcachedFact]
    public async Task Many_callers_of_a_process_share_the_run_under_the_mark()
    {
        Instance[] pair = Make(2);
        await Get(pair[0]);
        int runs = 0;
        byte[][] all = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => pair[1].Get("large", async token =>
        {
            Interlocked.Increment(ref runs);
            await Task.Delay(100, token);
            return new byte[Large];
        }).AsTask()))).WaitAsync(Eventually.Limit);
        Assert.All(all, static value => Assert.Equal(Large, value.Length));
        Assert.Equal(1, runs);
        Assert.Equal(
            Large,
            (
                await pair[1]
                    .Cache.GetOrCreateManyAsync<byte[]>(["large"], static (_, _) => throw new InvalidOperationException("it is there")))["large"].Length);
        await pair[1].Cache.RemoveAsync("large");
        await Get(pair[0]);
        IReadOnlyDictionary<string, byte[]> many = await pair[1].Cache.GetOrCreateManyAsync(["large"], static (keys, _)
            => new ValueTask<IReadOnlyDictionary<string, byte[]>>(keys.ToDictionary(static key => key, static _ => new byte[Large])));
        Assert.Equal(Large, many["large"].Length);
        Assert.Equal(Large, (await pair[1].Peek<byte[]>("large")).Length);
    }

    [MemcachedFact]
    public async Task Many_values_that_are_too_large_are_made_by_one_run_in_each_process()
    {
        Instance[] pair = Make(2);
        string[] keys = ["a", "b", "c"];
        foreach (Instance one in (Instance[])[.. pair, .. pair])
        {
            IReadOnlyDictionary<string, byte[]> values = await one.Cache.GetOrCreateManyAsync(keys, static (missing, _)
                => new ValueTask<IReadOnlyDictionary<string, byte[]>>(missing.ToDictionary(static key => key, static _ => new byte[Large])));
            Assert.Equal((3, 1L), (values.Count, one.Statistics.FactoryRuns));
        }
    }

    [MemcachedTheory]
    [InlineData("remove", 0)]
    [InlineData("remove", 1)]
    [InlineData("tag", 0)]
    [InlineData("tag", 1)]
    [InlineData("all", 1)]
    [InlineData("small", 0)]
    [InlineData("small", 1)]
    [InlineData("large", 0)]
    [InlineData("large", 1)]
    public async Task What_ends_it_in_one_process_ends_it_in_all(string change, int who)
    {
        Instance[] pair = Make(2, static options => options.Hybrid.LocalCacheRevalidation = options.Hybrid.TagRefreshInterval = TimeSpan.Zero);
        foreach (Instance instance in pair)
        {
            await Get(instance, ["tag"]);
            Assert.Equal(Large, (await instance.Peek<byte[]>("large")).Length);
        }

        Task done = change switch
        {
            "remove" => pair[who].Cache.RemoveAsync("large").AsTask(),
            "tag" => pair[who].Cache.RemoveByTagAsync("tag").AsTask(),
            "all" => pair[who].Cache.RemoveByTagAsync("*").AsTask(),
            "small" => pair[who].Cache.SetAsync("large", new byte[3]).AsTask(),
            _ => pair[who].Cache.SetAsync("large", new byte[Large + 1]).AsTask(),
        };
        await done.WaitAsync(Eventually.Limit);
        for (int i = 0; i < 2; i++)
        {
            int? expected = change switch { "small" => 3, "large" when i == who => Large + 1, _ => null };
            Assert.Equal(expected, (await pair[i].Peek<byte[]?>("large"))?.Length);
        }

        Assert.Equal(change == "small" ? 3 : 5, (await pair[1 - who].Get("large", static _ => new ValueTask<byte[]>(new byte[5]))).Length);
    }

    [MemcachedTheory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(0, true)]
    [InlineData(1, true)]
    public async Task A_removal_while_it_is_made_wins(int remover, bool isMarked)
    {
        Instance[] pair = Make(2);
        if (isMarked)
        {
            await Get(pair[1]);
        }

        var begun = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        Task<byte[]> making = pair[0].Get("large", async _ =>
        {
            begun.SetResult();
            await go.Task;
            return new byte[Large];
        }).AsTask();
        await begun.Task.WaitAsync(Eventually.Limit);
        await pair[remover].Cache.RemoveAsync("large");
        go.SetResult();
        Assert.Equal(Large, (await making.WaitAsync(Eventually.Limit)).Length);
        Assert.Null(await pair[0].Peek<byte[]>("large"));
        Assert.Null(await pair[0].PeekCluster<byte[]>("large"));
        Assert.Equal(5, (await pair[0].Get("large", static _ => new ValueTask<byte[]>(new byte[5])).AsTask().WaitAsync(Eventually.Limit)).Length);
    }

    [MemcachedTheory]
    [InlineData(Large)]
    [InlineData(3_000_000)]
    public async Task An_older_value_that_it_is_made_over_does_not_stay(int size)
    {
        Instance[] pair = Make(2, static options => (options.Hybrid.StaleWindow, options.Hybrid.MaximumLocalBytes) = (TimeSpan.FromMinutes(5), 2_000_000));
        await pair[0].Cache.SetAsync("large", new byte[3], new() { Expiration = TimeSpan.FromMilliseconds(1) });
        await Eventually.True(async () => (await pair[0].Get("large", _ => new ValueTask<byte[]>(new byte[size]))).Length == size, "the refresh has made it");
        Assert.Null(await pair[1].PeekCluster<byte[]>("large"));
        var made = new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableDistributedCacheRead | HybridCacheEntryFlags.DisableLocalCacheRead };
        await pair[1].Cache.SetAsync("forced", new byte[3]);
        Assert.Equal(size, (await pair[0].Get("forced", _ => new ValueTask<byte[]>(new byte[size]), made)).Length);
        Assert.Null(await pair[1].PeekCluster<byte[]>("forced"));
    }

    [MemcachedFact]
    public async Task A_value_that_fits_takes_the_place_of_the_mark()
    {
        Instance[] pair = Make(2, static options => options.Hybrid.LocalCacheRevalidation = TimeSpan.Zero);
        await Get(pair[0]);
        Assert.Equal(5, (await pair[1].Get("large", static _ => new ValueTask<byte[]>(new byte[5]))).Length);
        Assert.Equal(5, (await Get(pair[0])).Length);
        Assert.Equal(1, pair[0].Statistics.FactoryRuns);
    }

    [MemcachedFact]
    public async Task The_mark_ends_with_the_value_that_it_was_made_for()
    {
        Instance[] pair = Make(2, static options => options.Hybrid.StaleWindow = TimeSpan.FromMinutes(5));
        await pair[0].Get("large", static _ => new ValueTask<byte[]>(new byte[Large]), new() { Expiration = TimeSpan.FromMilliseconds(20) });
        await Eventually.True(async () => (await pair[1].Get("large", static _ => new ValueTask<byte[]>(new byte[5])).AsTask().WaitAsync(Eventually.Limit)).Length == 5
            && await pair[0].PeekCluster<byte[]>("large") is { Length: 5 }, "a mark that has expired holds nobody up");
    }

    [MemcachedFact]
    public async Task The_servers_own_limit_counts_as_the_option_does()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance[] pair = On([server], 2, static options => options.Hybrid.MaximumPayloadBytes = 4_000_000);
        foreach (Instance instance in pair)
        {
            await instance.Peek<int>("warm");
            for (int i = 0; i < 3; i++)
            {
                Assert.Equal(Large, (await Get(instance)).Length);
            }

            Assert.Equal((1, 1, 0), (instance.Statistics.FactoryRuns, instance.Statistics.OversizeRejections, instance.Statistics.LeasesWaitedFor));
        }

        await pair[0].Cache.SetAsync("set", new byte[5]);
        await pair[0].Cache.SetAsync("set", new byte[Large]);
        Assert.Equal(Large, (await pair[0].Peek<byte[]>("set")).Length);
        Assert.Null(await pair[1].Peek<byte[]>("set"));
    }

    private static Task<byte[]> Get(Instance instance, string[]? tags = null)
        => instance.Get("large", static _ => new ValueTask<byte[]>(new byte[Large]), tags: tags).AsTask().WaitAsync(Eventually.Limit);
}
