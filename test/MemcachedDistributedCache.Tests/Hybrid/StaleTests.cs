using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>Values past their expiration that are served in place of a factory's, by a clock that the test moves.</summary>
public sealed class StaleTests : IDisposable
{
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private readonly HybridRig _rig;

    public StaleTests() => _rig = new HybridRig(_model, static s => s.MaxStale = TimeSpan.FromHours(1));

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData(HybridCacheEntryFlags.DisableDistributedCacheWrite, true)]
    [InlineData(HybridCacheEntryFlags.DisableDistributedCacheWrite, false)]
    [InlineData(HybridCacheEntryFlags.DisableDistributedCache, true)]
    [InlineData(HybridCacheEntryFlags.DisableDistributedCache, false)]
    public async Task A_value_that_lives_in_the_process_only_is_served_for_a_factory_that_fails_and_the_factory_has_its_turn_again(
        HybridCacheEntryFlags flags,
        bool isAway)
    {
        var options = new HybridCacheEntryOptions { Flags = flags, Expiration = TimeSpan.FromMinutes(1) };
        await _rig.Ask("key", static _ => Task.FromResult("old"), options);
        _rig.Pass(61);
        _rig.Client.IsAway = isAway;
        Assert.Equal(("old", MemcachedHybridSource.Stale), await _rig.Ask<string>("key", static _ => throw new FormatException(), options));

        // For a moment nobody tries again; then everybody may, and the last value serves until its hour is over.
        Assert.Equal(("old", MemcachedHybridSource.Stale), await _rig.Ask("key", static _ => Task.FromResult("too early"), options));
        _rig.Client.IsAway = false;
        _rig.Pass(600);
        Assert.Equal(("old", MemcachedHybridSource.Stale), await _rig.Ask<string>("key", static _ => throw new FormatException(), options));
        _rig.Pass(2);
        Assert.Equal(("new", MemcachedHybridSource.Factory), await _rig.Ask("key", static _ => Task.FromResult("new"), options));
        _rig.Pass(3661);
        await Assert.ThrowsAsync<FormatException>(() => _rig.Ask<string>("key", static _ => throw new FormatException(), options));
    }
}
