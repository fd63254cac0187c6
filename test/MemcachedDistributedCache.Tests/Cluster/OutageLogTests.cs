using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>What is said of a node that is down.</summary>
public sealed class OutageLogTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();

    public void Dispose() => _log.Dispose();

    [Fact]
    public void Each_reason_is_told_once_an_outage_and_no_end_of_them()
    {
        var outages = new OutageLog(new MemcachedDistributedCache.Telemetry.NodeCounters("mc1:11211"), static () => false, _log);
        outages.Note("too early");
        Assert.Empty(_log.Ids);
        outages.Begin("refused");
        foreach (string unfit in (string[])["too old", "too old", "refused", "full", "no memcached", "a fifth"])
        {
            outages.Note(unfit);
        }

        Assert.Equal(4, _log.Ids.Count);
        outages.End();
        outages.Note("too late");
        Assert.Equal(4, _log.Ids.Count);
        outages.Begin("refused");
        Assert.Equal(5, _log.Ids.Count);
        Assert.All(_log.Ids, static id => Assert.Equal(EventIds.NodeDown, id));
    }

    [Fact]
    public async Task A_server_that_is_too_old_is_named_also_if_it_could_not_be_reached_at_first()
    {
        var factory = new FakeFactory(
            (Func<int, FakeTransport>)(
                attempt =>
                    attempt <= 2
                        ? throw new IOException(attempt == 1 ? "refused" : "silent") // once is enough for those
                        : new FakeTransport
                        {
                            Handshake = FakeTransport.Welcome.Replace(
                                "1.6.18",
                                attempt <= 4 ? "1.4.14" : "1.6.18",
                                StringComparison.Ordinal),
                            AnswersNoOp = true,
                        }));
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        await Eventually.True(
            () =>
            {
                if (_time.IsPausing())
                {
                    _time.Advance(TimeSpan.FromMilliseconds(50));
                }

                return _log.Ids.Contains(EventIds.NodeUp);
            },
            "a server of this time takes its place");
        Assert.Equal([EventIds.NodeDown, EventIds.NodeDown, EventIds.NodeUp], _log.Ids);
    }
}
