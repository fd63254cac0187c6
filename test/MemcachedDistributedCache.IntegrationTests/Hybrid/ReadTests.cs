using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Values of all kinds through one and several instances.</summary>
public sealed class ReadTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    [MemcachedFact]
    public async Task The_first_call_runs_the_factory_the_second_finds_the_value_here_and_another_instance_finds_it_in_the_cluster()
    {
        Instance[] pair = Make(2);
        Assert.Equal(("value", MemcachedHybridSource.Factory), await pair[0].GetWithSource("key", static _ => new ValueTask<string>("value")));
        Assert.Equal(("value", MemcachedHybridSource.LocalCache), await pair[0].GetWithSource("key", static _ => new ValueTask<string>("other")));
        Assert.Equal(("value", MemcachedHybridSource.DistributedCache), await pair[1].GetWithSource("key", static _ => new ValueTask<string>("other")));
        Assert.Equal(("value", MemcachedHybridSource.LocalCache), await pair[1].GetWithSource("key", static _ => new ValueTask<string>("other")));
        MemcachedHybridStatistics statistics = pair[0].Statistics;
        Assert.Equal((1L, 1L, 1L, 1L), (statistics.FactoryRuns, statistics.LeasesWon, statistics.LocalHits, statistics.LocalMisses));
        Assert.Equal((0L, 1L, 1L), (pair[1].Statistics.FactoryRuns, pair[1].Statistics.DistributedHits, pair[1].Statistics.LocalHits));
    }

    [MemcachedFact]
    public async Task Every_kind_of_value_comes_back_as_it_was()
    {
        Instance[] pair = Make(2);
        await RoundTrip(pair, "text", "ä€😀\n");
        await RoundTrip(pair, "lone surrogate", "a\ud800b");
        await RoundTrip(pair, "empty", "");
        await RoundTrip(pair, "bytes", new byte[] { 0, 13, 10, 255 });
        await RoundTrip(pair, "no bytes", Array.Empty<byte>());
        await RoundTrip(pair, "number", 42);
        await RoundTrip(pair, "nullable", (int?)7);
        await RoundTrip(pair, "no number", (int?)null);
        await RoundTrip(pair, "guid", Guid.NewGuid());
        await RoundTrip(pair, "tuple", (Name: "x", Number: 3));
        await RoundTrip(pair, "record", new Shared(5, "five"));
        await RoundTrip<Shared?>(pair, "null", null);
        await RoundTrip<string?>(pair, "null text", null);
        await RoundTrip(pair, "list", new List<int> { 1, 2, 3 });
        await RoundTrip(pair, "key with spaces\r\nand lines", "x");
        await RoundTrip(pair, new string('k', 1024), "x");
        await RoundTrip(pair, "#=|key", "x");
    }

    [MemcachedFact]
    public async Task What_can_be_changed_is_each_callers_own_and_what_cannot_is_shared()
    {
        Instance one = Make(1)[0];
        Mutable first = await one.Get("mutable", static _ => new ValueTask<Mutable>(new Mutable { Number = 1 }));
        first.Number = 99;
        Mutable second = await one.Get("mutable", static _ => new ValueTask<Mutable>(new Mutable { Number = 2 }));
        Mutable third = await one.Get("mutable", static _ => new ValueTask<Mutable>(new Mutable { Number = 2 }));
        Assert.Equal((1, 1), (second.Number, third.Number));
        Assert.NotSame(second, third);

        byte[] bytes = await one.Get("bytes", static _ => new ValueTask<byte[]>([1, 2]));
        bytes[0] = 99;
        Assert.Equal(new byte[] { 1, 2 }, await one.Get("bytes", static _ => new ValueTask<byte[]>([3])));

        Shared made = await one.Get("shared", static _ => new ValueTask<Shared>(new Shared(1, "a")));
        Assert.Same(made, await one.Get("shared", static _ => new ValueTask<Shared>(new Shared(2, "b"))));
    }

    [MemcachedFact]
    public async Task Callers_of_one_single_flight_get_objects_of_their_own_unless_they_cannot_be_changed()
    {
        Instance one = Make(1)[0];
        var go = new TaskCompletionSource();
        Task<Mutable>[] mutable = [.. Enumerable.Range(0, 20).Select(_ => one.Get("mutable", async _ => { await go.Task; return new Mutable { Number = 1 }; }).AsTask())];
        Task<Shared>[] shared = [.. Enumerable.Range(0, 20).Select(_ => one.Get("shared", async _ => { await go.Task; return new Shared(1, ""); }).AsTask())];
        go.SetResult();
        Assert.Equal(20, (await Task.WhenAll(mutable).WaitAsync(Eventually.Limit)).Distinct(ReferenceEqualityComparer.Instance).Count());
        Assert.Single((await Task.WhenAll(shared).WaitAsync(Eventually.Limit)).Distinct(ReferenceEqualityComparer.Instance));
        Assert.Equal(2, one.Statistics.FactoryRuns);
        Assert.Equal(38, one.Statistics.CallsJoined);
    }

    [MemcachedFact]
    public async Task Set_and_remove_of_one_and_many_keys()
    {
        Instance[] pair = Make(2);
        await pair[0].Cache.SetAsync("a", "1");
        await pair[0].Cache.SetAsync("b", "2");
        await pair[0].Cache.SetAsync("c", "3");
        Assert.Equal("1", await pair[1].Peek<string>("a"));
        await pair[0].Cache.RemoveAsync("a");
        Assert.Null(await pair[0].Peek<string>("a"));
        Assert.Null(await pair[1].PeekCluster<string>("a"));
        await pair[0].Cache.RemoveAsync([]);
        await pair[0].Cache.RemoveAsync(["b", "c", "none"]);
        Assert.Null(await pair[0].Peek<string>("b"));
        Assert.Null(await pair[1].Peek<string>("c"));
        await pair[0].Cache.SetAsync("a", "4");
        await pair[0].Cache.SetAsync("a", "5");
        Assert.Equal("5", await pair[0].Peek<string>("a"));
        Assert.Equal("5", await pair[1].PeekCluster<string>("a"));
    }

    [MemcachedFact]
    public async Task Plain_entries_and_hybrid_entries_do_not_meet()
    {
        Instance one = Make(1)[0];
        await one.Below.SetAsync("key", [1], new());
        Assert.Equal("hybrid", await one.Get("key", static _ => new ValueTask<string>("hybrid")));
        Assert.Equal(new byte[] { 1 }, await one.Below.GetAsync("key"));
        await one.Below.RemoveAsync("key");
        Assert.Equal("hybrid", await one.PeekCluster<string>("key"));
    }

    [MemcachedFact]
    public async Task Each_flag_does_what_it_says()
    {
        Instance[] pair = Make(2);
        int runs = 0;
        ValueTask<int> Make1(CancellationToken token) => new(Interlocked.Increment(ref runs));
        HybridCacheEntryOptions With(HybridCacheEntryFlags flags) => new() { Flags = flags };

        Assert.Equal(0, await pair[0].Get("key", Make1, With(HybridCacheEntryFlags.DisableUnderlyingData)));
        Assert.Equal(0, runs);

        Assert.Equal(1, await pair[0].Get("key", Make1, With(HybridCacheEntryFlags.DisableLocalCacheWrite)));
        Assert.Equal((1, MemcachedHybridSource.DistributedCache), await pair[0].GetWithSource("key", Make1));
        Assert.Equal((1, MemcachedHybridSource.LocalCache), await pair[0].GetWithSource("key", Make1));
        Assert.Equal((1, MemcachedHybridSource.DistributedCache), await pair[0].GetWithSource("key", Make1, With(HybridCacheEntryFlags.DisableLocalCacheRead)));

        Assert.Equal(2, await pair[0].Get("key", Make1, With(HybridCacheEntryFlags.DisableLocalCacheRead | HybridCacheEntryFlags.DisableDistributedCacheRead)));
        Assert.Equal(2, await pair[1].Get("key", Make1));
        Assert.Equal(2, await pair[0].Get("key", Make1));

        Assert.Equal(3, await pair[0].Get("here", Make1, With(HybridCacheEntryFlags.DisableDistributedCache)));
        Assert.Equal((3, MemcachedHybridSource.LocalCache), await pair[0].GetWithSource("here", Make1, With(HybridCacheEntryFlags.DisableDistributedCache)));
        Assert.Equal(0, await pair[1].Peek<int>("here"));

        Assert.Equal(4, await pair[0].Get("unread", Make1, With(HybridCacheEntryFlags.DisableDistributedCacheWrite)));
        Assert.Equal(0, await pair[1].Peek<int>("unread"));

        Assert.Equal(5, await pair[0].Get("squeezed", Make1, With(HybridCacheEntryFlags.DisableCompression)));
        Assert.Equal(5, await pair[1].Get("squeezed", Make1));

        await pair[0].Cache.SetAsync("set", 7, With(HybridCacheEntryFlags.DisableDistributedCache));
        Assert.Equal(7, await pair[0].Peek<int>("set"));
        Assert.Equal(0, await pair[1].Peek<int>("set"));
        await pair[0].Cache.SetAsync("set", 8, With(HybridCacheEntryFlags.DisableLocalCache));
        Assert.Equal((8, MemcachedHybridSource.DistributedCache), await pair[0].GetWithSource("set", Make1));
        Assert.Equal(5, runs);
    }

    [MemcachedFact]
    public async Task Expirations_end_values_here_and_there()
    {
        Instance[] pair = Make(2);
        int runs = 0;
        var options = new HybridCacheEntryOptions { Expiration = TimeSpan.FromMilliseconds(300) };
        ValueTask<int> Next(CancellationToken token) => new(Interlocked.Increment(ref runs));
        Assert.Equal(1, await pair[0].Get("key", Next, options));
        Assert.Equal(1, await pair[1].Get("key", Next, options));
        await Eventually.True(() => pair[0].Peek<int>("key").AsTask().GetAwaiter().GetResult() == 0, "the entry expires");
        Assert.Equal(2, await pair[1].Get("key", Next, options));

        // A copy that has had its time is taken from the cluster again.
        var shortHere = new HybridCacheEntryOptions { Expiration = TimeSpan.FromMinutes(5), LocalCacheExpiration = TimeSpan.FromMilliseconds(50) };
        Assert.Equal(3, await pair[0].Get("short", Next, shortHere));
        long hits = pair[0].Statistics.DistributedHits;
        await Eventually.True(
            () => pair[0].Get("short", Next, shortHere).AsTask().GetAwaiter().GetResult() == 3 && pair[0].Statistics.DistributedHits > hits,
            "the copy is read again");
    }

    private static async Task RoundTrip<T>(Instance[] pair, string key, T value)
    {
        Assert.Equal(value, await pair[0].Get(key, _ => new ValueTask<T>(value)));
        Assert.Equal(value, await pair[0].Get<T>(key, static _ => throw new InvalidOperationException("it is here")));
        Assert.Equal(value, await pair[1].Get<T>(key, static _ => throw new InvalidOperationException("it is there")));
        Assert.Equal(value, await pair[1].Get<T>(key, static _ => throw new InvalidOperationException("it is here")));
    }
}
