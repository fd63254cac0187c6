using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Cluster;

public sealed class ClusterTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task A_node_comes_up_and_says_so_once()
    {
        using ServerCluster cluster = Cluster(new FakeFactory(), connections: 3);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        Assert.Equal(("1.6.18", 1048576), (node.ServerVersion, node.ItemSizeMax));
        await Eventually.True(() => _log.Ids.Count == 1, "it is logged");
        Assert.Equal([1000], _log.Ids);
    }

    [Fact]
    public async Task While_a_node_is_down_operations_fail_at_once_and_one_line_is_logged()
    {
        var factory = new FakeFactory((Func<int, FakeTransport>)(static _ => throw new IOException("refused")));
        using ServerCluster cluster = Cluster(factory);
        await Eventually.True(() => cluster.Nodes[0].State == MemcachedNodeState.Down, "the node is down");
        var client = new ClusterClient(cluster);
        for (int i = 0; i < 100; i++)
        {
            foreach (CallMode mode in (CallMode[])[CallMode.Async, CallMode.Sync])
            {
                ValueTask<OperationResult> task = client.GetAsync("k"u8, ValueTarget.OwnArray, mode, CancellationToken.None);
                Assert.True(task.IsCompleted);
                OperationFailure failure = (await task).Failure!;
                Assert.Equal((MemcachedFailureReason.Unavailable, false, "mc1:11211"), (failure.Reason, failure.WasSent, failure.Server));
            }
        }

        await Eventually.True(() => _log.Ids.Count == 1, "it is logged");
        Assert.Equal([1001], _log.Ids);
        Assert.Equal(200, cluster.Nodes[0].Counters.Errors);
        Assert.Equal(1, factory.Attempts);
    }

    [Fact]
    public async Task Recovery_backs_off_and_ends()
    {
        bool up = false;
        var factory = new FakeFactory(_ => up ? new FakeTransport { AnswersNoOp = true } : throw new IOException("refused"));
        using ServerCluster cluster = Cluster(factory);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Down, "the node is down");
        DateTimeOffset start = _time.GetUtcNow();
        await Eventually.True(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return factory.Attempts >= 20;
        }, "it is tried again and again");

        // Nineteen pauses that grow to two seconds, and no storm.
        Assert.True(_time.GetUtcNow() - start > TimeSpan.FromSeconds(8), "it was tried too often");
        Assert.Equal(1, factory.MostAtOnce);
        up = true;
        await Eventually.True(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(500));
            return node.State == MemcachedNodeState.Up;
        }, "the node is up again");
        await Eventually.True(() => _log.Ids.Count == 2, "both changes are logged");
        Assert.Equal([1001, 1000], _log.Ids);
    }

    [Fact]
    public async Task A_recovered_connection_that_ends_at_once_leaves_no_node_up()
    {
        // It shakes hands and closes, as often as it is tried; such a node must not stay "up" with nobody looking after it.
        for (int round = 0; round < 20; round++)
        {
            var factory = new FakeFactory(static attempt =>
            {
                var transport = attempt == 1 ? throw new IOException("refused") : new FakeTransport();
                transport.Close();
                return transport;
            });
            using ServerCluster cluster = Cluster(factory);
            Node node = cluster.Nodes[0];
            await Eventually.True(() => node.State == MemcachedNodeState.Down, "the node is down");
            for (int i = 0; i < 100; i++)
            {
                // Those ten seconds are the cluster's: the clock stands while it is at work.
                await Eventually.True(() => _time.IsPausing(), "somebody waits for the next attempt");
                _time.Advance(TimeSpan.FromMilliseconds(100));
            }

            Assert.True(factory.Attempts > 3, $"tried {factory.Attempts} times in ten seconds, and the node is {node.State}");
            Assert.True(factory.MostAtOnce == 1, $"{factory.MostAtOnce} attempts at once");
        }
    }

    [Fact]
    public async Task A_lost_connection_is_replaced_without_a_down_node()
    {
        var factory = new FakeFactory();
        using ServerCluster cluster = Cluster(factory);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        _time.Advance(TimeSpan.FromSeconds(1));
        factory.Opened[0].Close();
        await Eventually.True(() => factory.Attempts == 2, "another is opened");
        await Eventually.True(() => factory.Opened.Count == 2, "another is open");
        Assert.Equal(MemcachedNodeState.Up, node.State);
        await Eventually.True(() => _log.Ids.Count >= 1, "it is logged");
        Assert.Equal([1000], _log.Ids);
    }

    [Fact]
    public async Task Slowness_is_logged_once_and_its_end_once()
    {
        var factory = new FakeFactory();
        using ServerCluster cluster = Cluster(factory);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        var client = new ClusterClient(cluster);
        uint opaque = 0;
        for (int i = 0; i < 3; i++)
        {
            ValueTask<OperationResult> task = client.GetAsync("k"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);
            for (int tick = 0; tick < 17; tick++)
            {
                _time.Advance(TimeSpan.FromMilliseconds(62.5));
            }

            Assert.Equal(MemcachedFailureReason.TimedOut, (await task).Failure!.Reason);
            factory.Opened[0].Reply($"EN O{++opaque}\r\n");
            await Eventually.True(() => node.PendingCount == 0, "the late reply is read");
        }

        for (int tick = 0; tick < 200; tick++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(62.5));
        }

        await Eventually.True(() => _log.Ids.Count >= 3, "it is logged");
        Assert.Equal([1000, 1002, 1003], _log.Ids);
        Assert.Equal(3, node.Counters.Timeouts);
    }

    [Fact]
    public async Task Disposing_ends_everything()
    {
        var factory = new FakeFactory(static _ => new FakeTransport
        {
            Answer = static sent => sent.Contains("mn\r\n", StringComparison.Ordinal) ? "MN\r\n" : null,
        });
        ServerCluster cluster = Cluster(factory, connections: 2);
        await Eventually.True(() => cluster.Nodes[0].State == MemcachedNodeState.Up, "the node is up");
        await cluster.DisposeAsync();
        Assert.True(cluster.IsDisposed);
        Assert.All(factory.Opened, static transport => Assert.True(transport.IsDisposed));
        ValueTask<OperationResult> after = new ClusterClient(cluster).GetAsync("k"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);
        Assert.Equal(MemcachedFailureReason.Unavailable, (await after).Failure!.Reason);
        await Eventually.True(() => _log.Ids.Count >= 1, "it is logged");
        Assert.Equal([1000], _log.Ids);
    }

    [Fact]
    public async Task Disposing_waits_one_limit_for_all_connections_together()
    {
        var factory = new FakeFactory();
        ServerCluster cluster = Cluster(factory, connections: 4);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        for (byte i = 0; i < 64; i++)
        {
            _ = client.GetAsync(new[] { (byte)('a' + (i % 26)), (byte)('a' + (i / 26)) }, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);
        }

        await Eventually.True(() => factory.Opened.Count == 4, "all slots are open");
        Task disposing = cluster.DisposeAsync().AsTask();
        await Eventually.True(() => node.PendingCount == 64 + 4, "each connection has a fence behind what it was asked, and all wait at once");
        for (int tick = 0; tick < 30; tick++) // not two limits: one after the other would take four
        {
            _time.Advance(TimeSpan.FromMilliseconds(62.5));
        }

        bool inTime = await Task.WhenAny(disposing, Task.Delay(Eventually.Limit)) == disposing;
        cluster.Nodes[0].Abort();
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(62.5));
                return disposing.IsCompleted;
            },
            "all has ended");
        Assert.True(inTime, "each connection waited for its own limit, one after the other");
    }

    [Fact]
    public async Task Weights_that_go_to_and_fro_are_remembered_as_two_rings_and_cost_no_item()
    {
        using ServerCluster cluster = Cluster(new FakeFactory());
        for (int i = 0; i < 3 * Topology.MostMoves; i++)
        {
            await cluster.ReloadAsync([new ServerSpec(new ServerAddress("mc1", 11211), 1 + (i % 2)), new ServerSpec(new ServerAddress("mc2", 11211), 3)]);
        }

        Assert.Equal(2, cluster.Nodes.Count);
        Assert.All(cluster.Nodes, static node => Assert.False(node.Consistency.Writes.AreAllUncertain));
    }

    private ServerCluster Cluster(FakeFactory factory, int connections = 1) => ClusterRig.Start(factory, _time, _log, connections);
}
