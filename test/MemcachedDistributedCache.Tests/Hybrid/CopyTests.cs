using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>What becomes of a process's own copy that the cluster was asked about.</summary>
public sealed class CopyTests : IDisposable
{
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private readonly HybridRig _one;
    private readonly HybridRig _other;

    public CopyTests()
    {
        _one = new HybridRig(_model, static settings => settings.MaxStale = TimeSpan.FromMinutes(10));
        _other = new HybridRig(_model);
    }

    public void Dispose()
    {
        _one.Dispose();
        _other.Dispose();
    }

    [Theory]
    [InlineData("replaced", "mine")]
    [InlineData("removed", "mine")]
    [InlineData("not known", "old")]
    public async Task What_the_cluster_has_called_changed_is_not_served_when_the_new_value_cannot_be_had(string state, string expected)
    {
        Assert.Equal("old", await _one.Get("key", "old"));
        _one.Pass(2);
        switch (state)
        {
            case "replaced":
                await _other.Set("key", "new");
                break;
            case "removed":
                _model.Delete("#=key", cas: null);
                break;
            default:
                // The server is the same, and another connection tells its numbers.
                _one.Client.Origin = new object();
                break;
        }

        var failure = OperationResult.Failed(new OperationFailure(MemcachedFailureReason.TimedOut, new NodeCounters("mc1:11211"), WasSent: true));
        _one.Client.Before = (verb, _) => verb == "lease" ? failure : null;
        Assert.Equal(expected, await _one.Get("key", "mine"));
        Assert.Equal(1, _one[HybridEvent.Revalidated]);
    }

    /// <summary>Its state is of another connection, so that looking at the entry has told nothing.</summary>
    [Fact]
    public async Task What_the_cluster_has_called_gone_is_not_served_when_the_new_value_cannot_be_had()
    {
        Assert.Equal("old", await _one.Get("key", "old"));
        _one.Pass(2);
        _one.Client.Origin = new object();
        int asked = 0;
        _one.Client.Before = (verb, _) =>
        {
            if (verb != "lease")
            {
                return null;
            }

            if (++asked > 1)
            {
                return OperationResult.Failed(new OperationFailure(MemcachedFailureReason.TimedOut, new NodeCounters("mc1:11211"), WasSent: true));
            }

            // Removed between the look and the question, and made by another.
            _model.Delete("#=key", cas: null);
            _model.Lease("#=key", 10, new object());
            return null;
        };
        Task<string> mine = _one.Get("key", "mine");
        await Eventually.True(
            () =>
            {
                _one.Pass(0.01);
                return mine.IsCompleted;
            },
            "the key is asked for again");
        Assert.Equal("mine", await mine);
    }
}
