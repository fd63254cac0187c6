using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>An application with a clock of its own in the container, which stands still or is years away, as tests have it.</summary>
public sealed class ClockTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    private readonly ThreeNodes _nodes = nodes;
    private readonly ManualTimeProvider _clock = new(new DateTimeOffset(2020, 2, 3, 4, 5, 6, TimeSpan.Zero));

    [MemcachedFact]
    public async Task A_lease_of_a_process_that_has_died_runs_out()
    {
        await using Instance one = Begin(Instance.Space());
        byte[] key = one.Cache.Parts.Keys.Encode("key", HybridSpace.Entry);
        foreach (MemcachedProcess server in _nodes.Servers)
        {
            await Wire.AskAsync(server, "mg", key, " N3 v");
        }

        Assert.Equal(2, await one.Get("key", static _ => new ValueTask<int>(2)).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal((1, 1), (one.Statistics.LeasesWaitedFor, one.Statistics.LeasesWon));
    }

    [MemcachedFact]
    public async Task A_slow_factory_keeps_its_lease_and_another_host_has_its_value()
    {
        string space = Instance.Space();
        await using Instance one = Begin(space);
        await using Instance other = Begin(space);
        Task<int> first = one.Get("key", static async token => { await Task.Delay(TimeSpan.FromSeconds(6), token); return 1; }).AsTask();
        await Eventually.True(() => one.Statistics.LeasesWon == 1, "the lease is won");
        IReadOnlyDictionary<string, int> many = await other
            .Cache.GetOrCreateManyAsync<int>(["key"], static (_, _) => throw new FormatException())
            .AsTask()
            .WaitAsync(Eventually.Limit);
        Assert.Equal((1, 1), (await first.WaitAsync(Eventually.Limit), many["key"]));
    }

    [MemcachedFact]
    public async Task Waiting_for_another_process_ends()
    {
        string space = Instance.Space();
        await using Instance one = Begin(space);
        await using Instance other = Begin(space, static options => options.Hybrid.MaximumLeaseWait = TimeSpan.FromMilliseconds(200));
        var go = new TaskCompletionSource();
        Task<int> first = one.Get("key", async _ => { await go.Task; return 1; }).AsTask();
        await Eventually.True(() => one.Statistics.LeasesWon == 1, "the lease is won");
        Assert.Equal(2, await other.Get("key", static _ => new ValueTask<int>(2)).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal(
            2,
            (
                await other
                    .Cache.GetOrCreateManyAsync<int>(["key"], static (_, _) => new(new Dictionary<string, int> { ["key"] = 2 }))
                    .AsTask()
                    .WaitAsync(Eventually.Limit))["key"]);
        go.SetResult();
        Assert.Equal(1, await first.WaitAsync(Eventually.Limit));
    }

    [MemcachedFact]
    public async Task The_applications_clock_decides_what_has_expired_and_the_systems_what_takes_too_long()
    {
        await using Instance one = Begin(Instance.Space(), static options =>
        {
            options.Hybrid.MaxStale = TimeSpan.FromHours(1);
            options.Hybrid.FactorySoftTimeout = TimeSpan.FromMilliseconds(100);
        });
        await one.Get("key", static _ => new ValueTask<string>("old"), new HybridCacheEntryOptions { Expiration = TimeSpan.FromMinutes(10) });
        _clock.Advance(TimeSpan.FromMinutes(9));
        Assert.Equal("old", await one.Get("key", static _ => new ValueTask<string>("early")));
        _clock.Advance(TimeSpan.FromMinutes(2));
        var go = new TaskCompletionSource();
        Assert.Equal("old", await one.Get("key", async _ => { await go.Task; return "new"; }).AsTask().WaitAsync(Eventually.Limit));
        go.SetResult();
        await Eventually.True(async () => await one.PeekCluster<string>("key") == "new", "it is stored when it is there");
    }

    [MemcachedFact]
    public async Task A_refresh_that_failed_is_tried_again()
    {
        await using Instance one = Begin(Instance.Space(), static options => options.Hybrid.StaleWindow = TimeSpan.FromHours(1));
        await one.Get("key", static _ => new ValueTask<string>("old"), new HybridCacheEntryOptions { Expiration = TimeSpan.FromMinutes(10) });
        _clock.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal(
            "old",
            await one.Get<string>(
                "key",
                static _ => throw new FormatException(),
                new() { Flags = HybridCacheEntryFlags.DisableLocalCacheRead }));
        await Eventually.True(
            async ()
                => await one.Get(
                    "key",
                    static _ => new ValueTask<string>("new"),
                    new() { Flags = HybridCacheEntryFlags.DisableLocalCacheRead }) == "new",
            "it is refreshed");
    }

    [MemcachedFact]
    public async Task An_entry_of_more_than_thirty_days_is_there()
    {
        string space = Instance.Space();
        await using Instance one = Begin(space);
        await using Instance other = Begin(space);
        await one.Cache.SetAsync("key", "value", new() { Expiration = TimeSpan.FromDays(40) });
        Assert.Equal("value", await other.PeekCluster<string>("key"));
        _clock.Advance(TimeSpan.FromDays(39));
        Assert.Equal("value", await other.PeekCluster<string>("key"));
        _clock.Advance(TimeSpan.FromDays(1.1));
        Assert.Null(await other.PeekCluster<string>("key"));
    }

    private Instance Begin(string space, Action<MemcachedCacheOptions>? configure = null) => Instance.On(
        _nodes.Servers.Select(static server => server.Server),
        space,
        options =>
        {
            options.Hybrid.LeaseTime = TimeSpan.FromSeconds(3);
            configure?.Invoke(options);
        },
        services => services.AddSingleton<TimeProvider>(_clock));
}
