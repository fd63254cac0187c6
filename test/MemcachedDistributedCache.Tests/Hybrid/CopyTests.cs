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

    /// <summary>A value that is too large for the time limit would time out each time, for as long as the copy lives.</summary>
    [Fact]
    public async Task A_look_that_times_out_is_good_for_one_more_interval_and_not_for_a_second()
    {
        Assert.Equal("old", await _one.Get("key", "old"));
        await _other.Set("key", "new");
        OperationResult timedOut = Failure(MemcachedFailureReason.TimedOut);
        _one.Client.Before = (verb, _) => verb == "look" ? timedOut : null;
        _one.Pass(2);
        Assert.Equal("old", await _one.Get("key", "mine"));
        _one.Pass(0.5);
        Assert.Equal("old", await _one.Get("key", "mine"));
        Assert.Equal(1, _one[HybridEvent.Revalidated]);

        // The second look is as late, and the value is read.
        _one.Pass(2);
        Assert.Equal("new", await _one.Get("key", "mine"));
    }

    [Fact]
    public async Task What_cannot_be_read_in_time_either_is_made()
    {
        Assert.Equal("old", await _one.Get("key", "old"));
        OperationResult timedOut = Failure(MemcachedFailureReason.TimedOut);
        _one.Client.Before = (verb, _) => verb is "look" or "lease" ? timedOut : null;
        _one.Pass(2);
        Assert.Equal("old", await _one.Get("key", "mine"));
        _one.Pass(2);
        Assert.Equal("mine", await _one.Get("key", "mine"));
    }

    [Theory]
    [InlineData(MemcachedFailureReason.Unavailable)]
    [InlineData(MemcachedFailureReason.ConnectionLost)]
    public async Task While_the_server_is_away_a_copy_is_served_until_it_ends(MemcachedFailureReason reason)
    {
        Assert.Equal("old", await _one.Get("key", "old"));
        OperationResult failure = Failure(reason);
        _one.Client.Before = (_, _) => failure;
        for (int i = 0; i < 5; i++)
        {
            _one.Pass(2);
            Assert.Equal("old", await _one.Get("key", "mine"));
        }
    }

    [Fact]
    public async Task An_answer_in_time_makes_up_for_one_that_was_late()
    {
        Assert.Equal("old", await _one.Get("key", "old"));
        OperationResult timedOut = Failure(MemcachedFailureReason.TimedOut);
        for (int i = 0; i < 3; i++)
        {
            _one.Client.Before = (_, _) => timedOut;
            _one.Pass(2);
            Assert.Equal("old", await _one.Get("key", "mine"));
            _one.Client.Before = null;
            _one.Pass(2);
            Assert.Equal("old", await _one.Get("key", "mine"));
        }
    }

    private static OperationResult Failure(MemcachedFailureReason reason)
        => OperationResult.Failed(new OperationFailure(reason, new NodeCounters("mc1:11211"), WasSent: true));

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
