using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Factories that ask the cache: for other keys, for their own, and in a circle.</summary>
public sealed class NestedTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    /// <summary>Far below what a wait for a lease takes (a minute), far above what a busy machine needs.</summary>
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(10);

    [MemcachedFact]
    public async Task Asking_for_the_own_key_in_the_factory_is_an_exception_at_once_that_names_the_key()
    {
        Instance[] pair = Make(2);
        Task<string> circle = pair[0].Get("me", token => pair[0].Get("me", static _ => new ValueTask<string>("never"), token: token)).AsTask();
        Assert.Equal("me", (await Assert.ThrowsAsync<InvalidOperationException>(() => circle.WaitAsync(AtOnce))).Data["Key"]);

        // It costs nobody else anything: the lease is free.
        Assert.Equal("value", await pair[1].Get("me", static _ => new ValueTask<string>("value")).AsTask().WaitAsync(AtOnce));
        Assert.Equal(0, pair[1].Statistics.LeasesWaitedFor);
    }

    [MemcachedFact]
    public async Task A_circle_over_other_keys_and_tasks_is_an_exception_at_once()
    {
        Instance one = Make(1)[0];
        ValueTask<int> A(CancellationToken _) => new(Task.Run(() => one.Get("b", B).AsTask(), CancellationToken.None));
        ValueTask<int> B(CancellationToken _) => new(Task.Run(async () => { await Task.Yield(); return await one.Get("c", C); }, CancellationToken.None));
        ValueTask<int> C(CancellationToken token) => one.Get("a", A, token: token);
        Assert.Equal("a", (await Assert.ThrowsAsync<InvalidOperationException>(() => one.Get("a", A).AsTask().WaitAsync(AtOnce))).Data["Key"]);
        await Eventually.True(() => one.Cache.Parts.GetOrCreate.SingleFlightCount == 0, "no single flight is left");
        Assert.Equal(0, one.Cache.Parts.Remote.Leases.Count);
    }

    [MemcachedFact]
    public async Task A_circle_of_two_flows_ends_at_once()
    {
        Instance one = Make(1)[0];
        for (int round = 0; round < 10; round++)
        {
            (string a, string b) = ($"a{round}", $"b{round}");
            using var both = new Barrier(2);
            ValueTask<int> A(CancellationToken token) => one.Get(b, B, token: token);
            ValueTask<int> B(CancellationToken token) => one.Get(a, A, token: token);
            async ValueTask<int> First(string other, Func<CancellationToken, ValueTask<int>> factory)
            {
                both.SignalAndWait(Eventually.Limit);
                return await one.Get(other, factory);
            }

            Task[] flows = [Task.Run(() => one.Get(a, _ => First(b, B)).AsTask()), Task.Run(() => one.Get(b, _ => First(a, A)).AsTask())];
            foreach (Task flow in flows)
            {
                await Assert.ThrowsAsync<InvalidOperationException>(() => flow.WaitAsync(AtOnce));
            }
        }
    }

    [MemcachedFact]
    public async Task Another_type_or_other_flags_of_the_own_key_run_without_the_lease_at_once()
    {
        Instance[] pair = Make(2);
        var flags = new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableLocalCacheWrite };
        long began = Stopwatch.GetTimestamp();
        string made = await pair[0].Get("key", async token =>
        {
            int number = await pair[0].Get("key", static _ => new ValueTask<int>(5), token: token);
            string other = await pair[0].Get("key", static _ => new ValueTask<string>("flags"), flags, token: token);
            return $"{number} {other}";
        }).AsTask().WaitAsync(Eventually.Limit);
        Assert.Equal("5 flags", made);
        Assert.True(Stopwatch.GetElapsedTime(began) < AtOnce);
        Assert.Equal("5 flags", await pair[1].PeekCluster<string>("key"));
        Assert.Equal(0, pair[0].Statistics.LeasesWaitedFor);
    }

    [MemcachedFact]
    public async Task A_factory_can_ask_for_other_keys_and_look_at_its_own()
    {
        Instance one = Make(1)[0];
        string made = await one.Get(
                "outer",
                async token =>
                {
                    string[] inner = await Task.WhenAll(
                        Enumerable
                            .Range(0, 20)
                            .Select(i => one.Get("inner" + (i % 3), _ => new ValueTask<string>("i" + (i % 3)), token: token).AsTask()));
                    return string.Concat(inner.Distinct()) + (await one.Peek<string>("outer") ?? "-");
                })
            .AsTask()
            .WaitAsync(AtOnce);
        Assert.Equal("i0i1i2-", made);
        Assert.Equal("i0i1i2-", await one.PeekCluster<string>("outer"));
    }

    [MemcachedFact]
    public async Task A_batch_that_asks_for_its_own_keys_does_not_wait_for_itself()
    {
        Instance[] pair = Make(2);
        Dictionary<string, string> Values(IEnumerable<string> keys) => keys.ToDictionary(static key => key, static key => key + "!");
        IReadOnlyDictionary<string, string> made = await pair[0].Cache.GetOrCreateManyAsync<string>(
            ["a", "b"],
            async (keys, token) =>
            {
                Assert.Equal("single", await pair[0].Get("a", static _ => new ValueTask<string>("single"), token: token));
                return Values(keys);
            }).AsTask().WaitAsync(AtOnce);
        Assert.Equal(["a!", "b!"], made.Values.Order());
        Assert.Equal("a!", await pair[1].PeekCluster<string>("a"));

        ValueTask<IReadOnlyDictionary<string, string>> Again(IReadOnlyList<string> keys, CancellationToken token) =>
            pair[0].Cache.GetOrCreateManyAsync<string>(["d", "e"], Again, cancellationToken: token);
        Task circle = pair[0].Cache.GetOrCreateManyAsync<string>(["c", "d"], Again).AsTask();
        Assert.Equal("d", (await Assert.ThrowsAsync<InvalidOperationException>(() => circle.WaitAsync(AtOnce))).Data["Key"]);
        Assert.Equal(0, pair[0].Cache.Parts.Remote.Leases.Count);
    }

    [MemcachedFact]
    public async Task A_key_that_cannot_be_used_is_no_way_to_ask_for_ever()
    {
        Instance one = Make(1)[0];
        string large = new('k', 5000);
        ValueTask<int> Self(CancellationToken token) => one.Get(large, Self, token: token);
        await Assert.ThrowsAsync<InvalidOperationException>(() => one.Get(large, Self).AsTask().WaitAsync(AtOnce));
    }

    [MemcachedFact]
    public async Task Setting_and_removing_the_own_key_in_the_factory_win_as_ever()
    {
        Instance one = Make(1)[0];
        Assert.Equal("made", await one.Get("set", async token => { await one.Cache.SetAsync("set", "set", cancellationToken: token); return "made"; }).AsTask().WaitAsync(AtOnce));
        Assert.Equal("set", await one.PeekCluster<string>("set"));
        Assert.Equal("made", await one.Get("removed", async token => { await one.Cache.RemoveAsync("removed", token); return "made"; }).AsTask().WaitAsync(AtOnce));
        Assert.Null(await one.PeekCluster<string>("removed"));
    }

    [MemcachedFact]
    public async Task What_a_factory_has_left_behind_is_no_circle_once_it_has_ended()
    {
        Instance one = Make(1)[0];
        var ended = new TaskCompletionSource();
        Task<string>? later = null;
        Assert.Equal("value", await one.Get("key", _ =>
        {
            later = Task.Run(async () =>
            {
                await ended.Task;
                await one.Cache.RemoveAsync("key");
                return await one.Get("key", static _ => new ValueTask<string>("later"));
            });
            return new ValueTask<string>("value");
        }));
        ended.SetResult();
        Assert.Equal("later", await later!.WaitAsync(AtOnce));
    }

    [MemcachedFact]
    public async Task A_refresh_can_ask_for_the_value_that_it_replaces()
    {
        Instance one = Make(1, static options => options.Hybrid.StaleWindow = TimeSpan.FromMinutes(5))[0];
        await one.Get("key", static _ => new ValueTask<string>("1"), new() { Expiration = TimeSpan.FromMilliseconds(100) });
        ValueTask<string> Next(CancellationToken token) => new(NextAsync());
        async Task<string> NextAsync() => await one.Get("key", static _ => new ValueTask<string>("never")) + "+1";
        await Eventually.True(async () => await one.Get("key", Next) == "1+1", "the refresh has made the next value of the last");
    }
}
