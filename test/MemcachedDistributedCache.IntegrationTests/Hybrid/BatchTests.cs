using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Many keys at once.</summary>
public sealed class BatchTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    [MemcachedFact]
    public async Task Missing_keys_are_made_together_and_found_by_all()
    {
        Instance[] pair = Make(2);
        string[] keys = [.. Enumerable.Range(0, 300).Select(static i => "key" + i)];
        await pair[0].Cache.SetAsync("key7", "set");
        IReadOnlyList<string>? asked = null;
        IReadOnlyDictionary<string, string> first = await pair[0].Cache.GetOrCreateManyAsync(keys.Append("key1"), Make1);
        Assert.Equal(300, first.Count);
        Assert.Equal(299, asked!.Count);
        Assert.DoesNotContain("key7", asked);
        Assert.Equal("set", first["key7"]);
        Assert.Equal("made key8", first["key8"]);
        IReadOnlyDictionary<string, string> second = await pair[1]
            .Cache.GetOrCreateManyAsync<string>(keys, static (_, _) => throw new InvalidOperationException("all are there"));
        Assert.Equal(first.OrderBy(static p => p.Key, StringComparer.Ordinal), second.OrderBy(static p => p.Key, StringComparer.Ordinal));
        Assert.Equal(300, pair[1].Statistics.DistributedHits);
        Assert.Equal("made key9", await pair[0].Peek<string>("key9"));

        ValueTask<IReadOnlyDictionary<string, string>> Make1(IReadOnlyList<string> missing, CancellationToken token)
        {
            asked = missing;
            return new(missing.ToDictionary(static key => key, static key => "made " + key));
        }
    }

    [MemcachedFact(MetaOnly = "A lease takes two classic commands.")]
    public async Task A_batch_asks_once_and_stores_once_for_each_key()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        Instance one = On([server], 1)[0];
        await one.Peek<int>("warm");
        string[] keys = [.. Enumerable.Range(0, 100).Select(static i => "key" + i)];
        long before = await Commands(server);
        await one.Cache.GetOrCreateManyAsync(
            keys,
            static (missing, _) => new ValueTask<IReadOnlyDictionary<string, int>>(missing.ToDictionary(static key => key, static _ => 1)));
        Assert.InRange(await Commands(server) - before, 200, 206); // a read and a store each, and perhaps the tag of all entries
    }

    [MemcachedFact]
    public async Task Fifty_thousand_keys_overrun_no_queue_and_are_made_by_one_run()
    {
        // The limits of time are for a busy machine: what is tested is that no queue is overrun.
        Instance[] pair = Make(
            2,
            static options => (options.MaximumPendingOperations, options.OperationTimeout, options.Hybrid.LeaseTime) = (1000, TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(2)));
        string[] keys = [.. Enumerable.Range(0, 50_000).Select(static i => "key" + i)];
        IReadOnlyDictionary<string, int> made = await pair[0]
            .Cache.GetOrCreateManyAsync(
                keys,
                static (missing, _)
                    => new ValueTask<IReadOnlyDictionary<string, int>>(missing.ToDictionary(static key => key, static _ => 1)));
        Assert.Equal((50_000, 1L, 0L), (made.Count, pair[0].Statistics.FactoryRuns, pair[0].Statistics.LeasesLost));
        IReadOnlyDictionary<string, int> found = await pair[1]
            .Cache.GetOrCreateManyAsync<int>(keys, static (_, _) => throw new InvalidOperationException("all are there"));
        Assert.Equal((50_000, 50_000L), (found.Count, pair[1].Statistics.DistributedHits));
        await pair[1].Cache.RemoveAsync(keys);
        Assert.Equal(0, await pair[1].PeekCluster<int>("key49999"));
        await pair[1].Cache.RemoveByTagAsync(keys[..5000]);
        Assert.All(pair, static one => Assert.Equal(0, one.Below.GetNodes().Sum(static node => node.Errors)));
    }

    [MemcachedFact]
    public async Task Several_batches_at_once_make_each_key_once()
    {
        Instance[] instances = Make(4);
        int made = 0;
        string[] keys = [.. Enumerable.Range(0, 50).Select(static i => "key" + i)];
        Task<IReadOnlyDictionary<string, int>>[] batches =
        [
            .. instances.SelectMany(instance =>
                Enumerable
                    .Range(0, 2)
                    .Select(_ =>
                        Task.Run(() =>
                            instance
                                .Cache.GetOrCreateManyAsync(
                                    keys.OrderBy(static _ => Random.Shared.Next()),
                                    async (missing, token) =>
                                    {
                                        Interlocked.Add(ref made, missing.Count);
                                        await Task.Delay(50, token);
                                        return (IReadOnlyDictionary<string, int>)
                                            missing.ToDictionary(static key => key, static key => key.Length);
                                    })
                                .AsTask()))),
        ];
        foreach (IReadOnlyDictionary<string, int> values in await Task.WhenAll(batches).WaitAsync(Eventually.Limit))
        {
            Assert.Equal(50, values.Count);
            Assert.All(values, static pair => Assert.Equal(pair.Key.Length, pair.Value));
        }

        Assert.Equal(50, made);
    }

    [MemcachedFact]
    public async Task A_key_that_the_factory_leaves_out_has_no_value_and_its_lease_is_free()
    {
        Instance one = Make(1)[0];
        IReadOnlyDictionary<string, int> values = await one.Cache.GetOrCreateManyAsync(
            ["a", "b"],
            static (_, _) => new ValueTask<IReadOnlyDictionary<string, int>>(new Dictionary<string, int> { ["a"] = 1, ["c"] = 9 }));
        Assert.Equal(1, Assert.Single(values).Value);
        Assert.Equal(2, await one.Get("b", static _ => new ValueTask<int>(2)).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal(0, one.Statistics.LeasesWaitedFor);
        Assert.Equal(0, await one.Peek<int>("c"));
    }

    [MemcachedFact]
    public async Task A_failing_batch_gives_the_exception_and_frees_all_leases()
    {
        Instance[] pair = Make(2);
        string[] keys = ["a", "b", "c"];
        await Assert.ThrowsAsync<FormatException>(async () =>
            await pair[0].Cache.GetOrCreateManyAsync<int>(keys, static (_, _) => throw new FormatException()));
        IReadOnlyDictionary<string, int> values = await pair[1]
            .Cache.GetOrCreateManyAsync(
                keys,
                static (missing, _)
                    => new ValueTask<IReadOnlyDictionary<string, int>>(missing.ToDictionary(static key => key, static _ => 5)));
        Assert.Equal(3, values.Count);
        Assert.Equal(0, pair[1].Statistics.LeasesWaitedFor);
    }

    [MemcachedFact]
    public async Task Keys_that_cannot_be_used_are_made_and_not_kept()
    {
        Instance one = Make(1)[0];
        string tooLong = new('k', 2000);
        int runs = 0;
        for (int i = 0; i < 2; i++)
        {
            IReadOnlyDictionary<string, int> values = await one.Cache.GetOrCreateManyAsync([tooLong, "ok"], (missing, _) =>
            {
                runs++;
                return new ValueTask<IReadOnlyDictionary<string, int>>(missing.ToDictionary(static key => key, static key => key.Length));
            });
            Assert.Equal((2000, 2), (values[tooLong], values["ok"]));
        }

        Assert.Equal(2, runs);
        await Assert.ThrowsAsync<ArgumentException>(async () => await one.Cache.GetOrCreateManyAsync<int>([null!], static (_, _) => default));
        Assert.Empty(await one.Cache.GetOrCreateManyAsync<int>([], static (_, _) => throw new InvalidOperationException()));
    }

    [MemcachedFact]
    public async Task A_remove_during_a_batch_wins_for_its_key_only()
    {
        Instance one = Make(1)[0];
        await one.Cache.GetOrCreateManyAsync(["a", "b"], async (missing, token) =>
        {
            await one.Cache.RemoveAsync("a", token);
            return (IReadOnlyDictionary<string, int>)missing.ToDictionary(static key => key, static _ => 1);
        });
        Assert.Equal((0, 1), (await one.Peek<int>("a"), await one.Peek<int>("b")));
        Assert.Equal(0, await one.PeekCluster<int>("a"));
    }

    private static async Task<long> Commands(MemcachedProcess server)
    {
        IReadOnlyDictionary<string, string> stats = await server.StatsAsync();
        return long.Parse(stats["cmd_get"], System.Globalization.CultureInfo.InvariantCulture)
            + long.Parse(stats["cmd_set"], System.Globalization.CultureInfo.InvariantCulture);
    }
}
