using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>Factories that ask the cache for what waits for them, by a clock that the test moves.</summary>
public sealed class NestedTests : IDisposable
{
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private HybridRig? _rig;

    public void Dispose() => _rig?.Dispose();

    [Fact]
    public async Task A_factory_does_not_wait_for_a_refresh_that_asks_for_what_it_makes()
    {
        HybridRig rig = _rig = new HybridRig(_model, static s => (s.StaleWindow, s.RefreshInBackground) = (TimeSpan.FromHours(1), false));
        await rig.Set("b", "old");
        rig.Pass(301);
        async Task<string> A(CancellationToken _) => "a of " + (await rig.Ask("b", B)).Value;
        async Task<string> B(CancellationToken _) => "b of " + (await rig.Ask("a", A)).Value;
        Assert.Equal("a of old", (await Task.Run(() => rig.Ask("a", A)).WaitAsync(Eventually.Limit)).Value);
        await Eventually.True(() => rig.Parts.GetOrCreate.SingleFlightCount == 0 && rig.Parts.Remote.Leases.Count == 0, "the refresh has ended");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_circle_over_a_batch_or_other_flags_ends_when_its_wait_has_been_long_enough(bool inBatches)
    {
        HybridRig rig = _rig = new HybridRig(_model);
        using var both = new Barrier(2);
        Task<string>[] flows = [Task.Run(() => rig.Get("a", _ => Make("b"))), Task.Run(() => rig.Get("b", _ => Make("a")))];
        await Eventually.True(
            () =>
            {
                rig.Pass(0.5);
                return flows.All(static flow => flow.IsCompleted);
            },
            "both have ended");
        Assert.Equal(["inner", "inner"], await Task.WhenAll(flows));
        Assert.Equal(0, rig.Parts.Remote.Leases.Count);

        async Task<string> Make(string other)
        {
            both.SignalAndWait(Eventually.Limit);
            if (!inBatches)
            {
                return (await rig.Ask(other, static _ => Task.FromResult("inner"), new() { Flags = HybridCacheEntryFlags.DisableLocalCacheRead })).Value;
            }

            var batch = new Batch<string>(
                rig.Parts.Batches,
                rig.Parts.Context,
                rig.Options(),
                [],
                static (keys, _) => new(keys.ToDictionary(static key => key, static _ => "inner")));
            return (await batch.RunAsync([other], CancellationToken.None))[other];
        }
    }
}
