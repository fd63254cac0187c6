using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>What one connection of a node does in the place of another, and what not.</summary>
public sealed class ConnectionSlotTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task A_change_takes_the_connection_of_its_key_or_none_and_a_read_takes_another()
    {
        var factory = new FakeFactory(static attempt => attempt == 1 ? new FakeTransport { Answer = Miss } : throw new IOException("refused"));
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log, connections: 2);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the first connection is open");
        var client = new ClusterClient(cluster);
        byte[] key = KeyOf(slot: 1);
        Assert.Equal(MemcachedFailureReason.Unavailable, (await client.DeleteAsync(key, CallMode.Async, CancellationToken.None)).Failure?.Reason);
        await Eventually.True(() => node.Counters.Ends(ConnectionEndReason.ConnectFailed) >= 1, "its own connection could not be opened");

        // On the other one it would overtake what may still be on its way on its own.
        OperationResult removed = await client.DeleteAsync(key, CallMode.Async, CancellationToken.None);
        Assert.Equal((ResultStatus.Failed, MemcachedFailureReason.Unavailable), (removed.Status, removed.Failure?.Reason));
        Assert.True(node.Consistency.IsUncertain(key));
        byte[] other = KeyOf(slot: 1, but: key);
        await Eventually.True(
            () =>
                client
                    .GetAsync(other, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None)
                    .AsTask()
                    .GetAwaiter()
                    .GetResult()
                    .Status == ResultStatus.Miss,
            "it is read by the other connection");
        Assert.Equal(ResultStatus.Miss, (await client.LeaseAsync(other, 10, withValue: true, CancellationToken.None)).Status);
        Assert.DoesNotContain("md ", factory.Opened[0].Sent, StringComparison.Ordinal);
        Assert.Equal(MemcachedNodeState.Up, node.State);
    }

    [Fact]
    public async Task A_connection_of_synchronous_callers_keeps_no_node_up_that_others_cannot_reach()
    {
        var factory = new FakeFactory(static attempt => attempt <= 2 ? new FakeTransport { Answer = Miss } : throw new IOException("refused"));
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        var client = new ClusterClient(cluster);
        Assert.Equal(ResultStatus.Miss, (await client.GetAsync("k"u8, ValueTarget.OwnArray, CallMode.Sync, CancellationToken.None)).Status);
        _time.Advance(TimeSpan.FromSeconds(1));
        factory.Opened[0].Close();
        await Eventually.True(() => node.State == MemcachedNodeState.Down, "asynchronous callers cannot reach it");
        Assert.False(factory.Opened[1].IsDisposed);
    }

    [Fact]
    public async Task One_that_fails_for_synchronous_callers_leaves_a_node_up_that_others_reach()
    {
        var factory = new FakeFactory(static attempt => attempt == 1 ? new FakeTransport { Answer = Miss } : throw new IOException("refused"));
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        var client = new ClusterClient(cluster);
        Assert.Equal(ResultStatus.Failed, (await client.GetAsync("k"u8, ValueTarget.OwnArray, CallMode.Sync, CancellationToken.None)).Status);
        await Eventually.True(() => node.Counters.Ends(ConnectionEndReason.ConnectFailed) >= 1, "its end is told");
        Assert.Equal(ResultStatus.Miss, (await client.GetAsync("k"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None)).Status);
        Assert.Equal(MemcachedNodeState.Up, node.State);
    }

    [Fact]
    public async Task A_connection_that_is_replaced_while_the_node_ends_is_ended_too()
    {
        var factory = new FakeFactory();
        ServerCluster cluster = ClusterRig.Start(factory, _time, _log, connections: 2);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the first connection is open");
        ValueTask<OperationResult> asked = new ClusterClient(cluster).GetAsync(KeyOf(slot: 1), ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);
        await Eventually.True(() => factory.Opened.Count == 2 && factory.Opened[1].Sent.Length != 0, "the second is open and in use");

        // As the first is ended, the second is found to lead to an address that is out of date.
        factory.Opened[0].Disposing = () => node.Renew(static _ => true);
        cluster.Dispose();
        await Eventually.True(() => factory.Opened.All(static transport => transport.IsDisposed), "all are closed");
        Assert.Equal(ResultStatus.Failed, (await asked.AsTask().WaitAsync(Eventually.Limit)).Status);
    }

    private static string Miss(string sent)
        => string.Concat(
            sent.Split("\r\n", StringSplitOptions.RemoveEmptyEntries)
                .Select(static line => line == "mn" ? "MN\r\n" : $"EN {line.Split(' ')[^1]}\r\n"));

    private static byte[] KeyOf(uint slot, byte[]? but = null)
    {
        for (byte letter = (byte)'a'; ; letter++)
        {
            byte[] key = [letter];
            if (HashRing.Hash(key) % 2 == slot && but?[0] != letter)
            {
                return key;
            }
        }
    }
}
