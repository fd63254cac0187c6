using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>A node that leaves and joins again may still have a write of before under way.</summary>
public sealed class ReturningNodeTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();

    public void Dispose() => _log.Dispose();

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task One_that_left_uncertain_is_not_believed_before_a_grace_has_passed(bool isSilent, bool hasLeft)
    {
        // It answers nothing but probes, or all.
        using ServerCluster cluster = ClusterRig.Start(
            new FakeFactory(
                (Func<int, FakeTransport>)(
                    _ => new FakeTransport { Handshake = FakeTransport.Modern, Answer = sent => Answer(sent, isSilent) })),
            _time,
            _log);
        Node before = cluster.Nodes[0];
        await Eventually.True(() => before.State == MemcachedNodeState.Up, "the node is up");
        ValueTask<OperationResult> removing = new ClusterClient(cluster).DeleteAsync("key"u8, CallMode.Async, CancellationToken.None);
        if (!isSilent)
        {
            await Eventually.True(() => removing.IsCompleted, "it is answered");
        }

        await cluster.ReloadAsync([new ServerSpec(new ServerAddress("mc2", 11211), 1)]);
        if (hasLeft)
        {
            await Eventually.True(
                () =>
                {
                    _time.Advance(TimeSpan.FromMilliseconds(isSilent ? 62.5 : 0));
                    return cluster.LeavingCount == 0 && before.PendingCount == 0 && removing.IsCompleted;
                },
                "it has ended what it was asked, and is gone");
        }

        await cluster.ReloadAsync([new ServerSpec(new ServerAddress("mc1", 11211), 1), new ServerSpec(new ServerAddress("mc2", 11211), 1)]);
        Node after = cluster.Nodes.Single(static node => node.Address.Host == "mc1");
        Assert.NotSame(before, after);
        Assert.Equal(isSilent, after.Consistency.Writes.AreAllUncertain);
        DateTimeOffset joined = _time.GetUtcNow();
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return after.State == MemcachedNodeState.Up && !after.Consistency.Writes.AreAllUncertain;
            },
            "it is believed");
        Assert.True(!isSilent || _time.GetUtcNow() - joined >= TimeSpan.FromSeconds(2), $"believed after {_time.GetUtcNow() - joined}");
    }

    private static string? Answer(string sent, bool isSilent)
        => sent.StartsWith("ms ", StringComparison.Ordinal) ? $"HD c7 {ClusterRig.TokenOf(sent)}\r\n"
            : isSilent ? null
            : sent.StartsWith("mn", StringComparison.Ordinal) ? "MN\r\n"
            : $"HD {ClusterRig.TokenOf(sent)}\r\n";
}
