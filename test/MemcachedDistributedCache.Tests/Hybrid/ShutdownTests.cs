using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>What is under way when the cache is disposed.</summary>
public sealed class ShutdownTests : IDisposable
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private readonly TaskCompletionSource<string> _made = new();
    private HybridRig? _rig;

    public void Dispose() => _rig?.Dispose();

    [Theory]
    [InlineData(HybridCacheEntryFlags.DisableDistributedCache, false)]
    [InlineData(HybridCacheEntryFlags.None, true)]
    [InlineData(HybridCacheEntryFlags.None, false)]
    public async Task The_value_of_a_factory_that_outlives_the_cache_goes_to_its_callers_and_nowhere_else(HybridCacheEntryFlags flags, bool isAway)
    {
        HybridRig rig = New();
        rig.Client.IsAway = isAway;
        Task<(string Value, MemcachedHybridSource)> asked = rig.Ask("key", _ => _made.Task, new() { Flags = flags });
        await Eventually.True(() => rig[HybridEvent.FactoryRun] == 1, "the factory runs");
        await rig.Parts.DisposeAsync();
        int stores = rig.Client.Count("cas", "#=key");
        _made.SetResult("value");
        Assert.Equal("value", (await asked).Value);
        Assert.Equal((0, 0), (rig.Client.Count("cas", "#=key") - stores, rig.Parts.Local.Count));
    }

    [Fact]
    public async Task A_refresh_that_outlives_the_cache_stores_nothing()
    {
        HybridRig rig = New(static s => s.MaxStale = Hour);
        await rig.Set("key", "old");
        rig.Pass(301);
        Task<string> asked = rig.Get("key", _ => _made.Task);
        await Eventually.True(() => rig[HybridEvent.FactoryRun] == 1, "the factory runs");
        await rig.Parts.DisposeAsync();
        int stores = rig.Client.Count("cas", "#=key");
        _made.SetResult("new");
        Assert.Equal("new", await asked);
        Assert.Equal(0, rig.Client.Count("cas", "#=key") - stores);
    }

    [Fact]
    public async Task A_factory_whose_place_another_has_taken_is_cancelled_too()
    {
        HybridRig rig = New();
        CancellationToken seen = default;
        Task<string> first = rig.Get("key", token => Run(token, out seen));
        await Eventually.True(() => rig[HybridEvent.FactoryRun] == 1, "the factory runs");
        await rig.Parts.Changes.RemoveAsync("key");
        Assert.Equal("second", await rig.Get("key", "second"));
        await rig.Parts.DisposeAsync();
        await Eventually.True(() => seen.IsCancellationRequested, "the first is cancelled");
        _made.SetResult("first");
        Assert.Equal("first", await first);
        await Eventually.True(() => rig.Parts.GetOrCreate.SingleFlightCount == 0, "no single flight is left");
    }

    [Fact]
    public async Task A_factory_whose_callers_had_the_last_value_is_cancelled_too()
    {
        HybridRig rig = New(static s => (s.MaxStale, s.FactorySoftTimeout) = (Hour, TimeSpan.FromSeconds(1)));
        await rig.Set("key", "old");
        rig.Pass(301);
        CancellationToken seen = default;
        Task<string> first = rig.Get("key", token => Run(token, out seen));
        await Eventually.True(() => rig[HybridEvent.FactoryRun] == 1, "the factory runs");

        // In steps: the factory is counted before its soft time-out begins.
        await Eventually.True(
            () =>
            {
                rig.Pass(0.3);
                return first.IsCompleted;
            },
            "the first has the last value");
        Assert.Equal("old", await first);
        rig.Pass(1.1);
        Task<string> second = rig.Get("key", "other");
        await Eventually.True(
            () =>
            {
                rig.Pass(0.3);
                return second.IsCompleted;
            },
            "the second has the last value");
        Assert.Equal("old", await second);
        await rig.Parts.DisposeAsync();
        await Eventually.True(() => seen.IsCancellationRequested, "the first is cancelled");
        _made.SetResult("late");
        await Eventually.True(() => rig.Parts.GetOrCreate.SingleFlightCount == 0, "no single flight is left");
    }

    [Fact]
    public async Task A_removal_that_outlives_the_cache_ends_without_an_exception()
    {
        HybridRig rig = New();
        await rig.Set("key", "value");
        rig.Client.Hold = (verb, _) => verb == "delete" ? _made.Task : Task.CompletedTask;
        Task removing = rig.Parts.Changes.RemoveAsync("key");
        Task ending = rig.Parts.DisposeAsync().AsTask();
        await ending; // It waits for the removal, but not for ever.
        _made.SetResult("");
        await removing;
        Assert.DoesNotContain("#=key", _model.Keys);
    }

    [Fact]
    public async Task A_lease_that_its_cancelled_maker_gives_back_is_waited_for()
    {
        HybridRig rig = New();
        var go = new TaskCompletionSource();
        rig.Client.Hold = (verb, _) => verb == "discard" ? go.Task : Task.CompletedTask;
        Task<string> asked = rig.Get("key", token =>
        {
            // Its continuation, which gives the lease back, runs before the cache does so itself.
            token.Register(() => _made.TrySetCanceled(token));
            return _made.Task;
        });
        await Eventually.True(() => rig[HybridEvent.FactoryRun] == 1, "the factory runs");
        Task ending = rig.Parts.DisposeAsync().AsTask();
        await Eventually.True(() => rig.Client.Count("discard", "#=key") == 1, "the lease is given back");
        Assert.Equal((false, 1), (ending.IsCompleted, rig.Parts.Remote.Leases.Count));
        go.SetResult();
        await ending;
        Assert.DoesNotContain("#=key", _model.Keys);
        Assert.Equal(1, rig.Client.Count("discard", "#=key"));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }

    private Task<string> Run(CancellationToken token, out CancellationToken seen)
    {
        seen = token;
        return _made.Task;
    }

    private HybridRig New(Action<MemcachedHybridCacheOptions>? configure = null) => _rig = new HybridRig(_model, configure);
}
