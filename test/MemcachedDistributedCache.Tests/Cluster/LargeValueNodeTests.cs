using System.Net;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>
/// What becomes of the connection for large values, and of its node for its sake; the ordinary one is the first that is
/// opened.
/// </summary>
public sealed class LargeValueNodeTests : IDisposable
{
    private readonly LargeValueRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task Where_it_cannot_be_opened_the_ordinary_one_serves_and_the_node_stays_up()
    {
        FakeFactory factory = _rig.Factory(static (attempt, answer) => attempt == 1 ? new FakeTransport { Answer = answer } : throw new IOException("refused"));
        using ServerCluster cluster = await _rig.StartAsync(factory);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        for (int i = 0; i < 10; i++)
        {
            await _rig.ReadAsync(client, "big");
        }

        await Eventually.True(() => node.Counters.Ends(ConnectionEndReason.ConnectFailed) == 1, "its end is told");
        for (int i = 0; i < 10; i++)
        {
            await _rig.ReadAsync(client, "big");
        }

        // Tried again after a pause, not with every read.
        Assert.Equal(2, factory.Attempts);
        _rig.Time.Advance(TimeSpan.FromMilliseconds(100));
        await _rig.ReadAsync(client, "big");
        await Eventually.True(() => node.Counters.Ends(ConnectionEndReason.ConnectFailed) == 2, "it is tried again");
        await _rig.ReadAsync(client, "big");
        Assert.Equal(3, factory.Attempts);
        Assert.Equal((MemcachedNodeState.Up, 0L), (node.State, node.Counters.Errors));
        Assert.Equal(0, node.Counters.StateChanges(MemcachedNodeState.Down));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_it_ends_the_ordinary_one_serves_and_the_node_stays_up(bool isOld)
    {
        FakeFactory factory = _rig.Factory();
        using ServerCluster cluster = await _rig.StartAsync(factory);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        _rig.Time.Advance(TimeSpan.FromSeconds(isOld ? 1 : 0));
        factory.Opened[1].Close();
        await Eventually.True(() => node.Counters.Ends(ConnectionEndReason.ClosedByServer) == 1, "its end is told");
        int ordinary = LargeValueRig.Reads(factory.Opened[0], "big");
        await _rig.ReadAsync(client, "big");
        Assert.Equal(ordinary + 1, LargeValueRig.Reads(factory.Opened[0], "big"));
        Assert.Equal(2, factory.Attempts);

        // And is opened again by one that comes later.
        _rig.Time.Advance(TimeSpan.FromMilliseconds(100));
        await LargeValueRig.UntilItServesAsync(client, factory, number: 3);
        Assert.Equal((MemcachedNodeState.Up, 0L), (node.State, node.Counters.Errors));
        Assert.Equal(0, node.Counters.StateChanges(MemcachedNodeState.Down));
    }

    /// <summary>Classic commands bring the value with the answer, and a small one must not wait behind it.</summary>
    [Fact]
    public async Task It_takes_the_touches_and_inspections_of_large_values_where_their_answer_is_the_value()
    {
        FakeFactory factory = _rig.Factory(static (_, answer) => new FakeTransport { Handshake = "VERSION 1.4.15\r\nEND\r\nERROR\r\n", Answer = answer });
        using ServerCluster cluster = await _rig.StartAsync(factory);
        var client = new ClusterClient(cluster);
        await Eventually.True(
            async () =>
            {
                await TouchAsync("big");
                return factory.Opened.Count == 2 && Count(1, "touch big 5") == 1;
            },
            "the length of what a touch brings is remembered");
        int ordinary = Count(0, "gets big");
        await TouchAsync("big");
        await client.InspectAsync(WireKey.Of("big"u8), withCas: false, CallMode.Async, CancellationToken.None);
        Assert.Equal((ordinary, 3), (Count(0, "gets big"), Count(1, "gets big")));

        // What the token of another connection is held against must come by that connection.
        await client.InspectAsync(WireKey.Of("big"u8), withCas: true, CallMode.Async, CancellationToken.None);
        await TouchAsync("small");
        Assert.Equal((ordinary + 1, 3), (Count(0, "gets big"), Count(1, "gets big")));
        Assert.Equal((1, 0), (Count(0, "touch small 5"), Count(1, "touch small 5")));

        async Task TouchAsync(string key)
            => await client.TouchAsync(WireKey.Of(System.Text.Encoding.ASCII.GetBytes(key)), 5, CallMode.Async, CancellationToken.None).AsTask().WaitAsync(Eventually.Limit);

        int Count(int connection, string request) => factory.Opened[connection].Sent.Split("\r\n").Count(line => line == request);
    }

    [Fact]
    public async Task It_takes_no_touch_where_the_answer_is_short()
    {
        FakeFactory factory = _rig.Factory();
        using ServerCluster cluster = await _rig.StartAsync(factory);
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        await client.TouchAsync(WireKey.Of("big"u8), 5, CallMode.Async, CancellationToken.None);
        await client.InspectAsync(WireKey.Of("big"u8), withCas: false, CallMode.Async, CancellationToken.None);
        Assert.DoesNotContain(factory.Opened[1].Sent.Split("\r\n"), static line => line.StartsWith("mg big ", StringComparison.Ordinal) && !line.Contains(" v "));
    }

    [Fact]
    public async Task A_failure_of_it_is_none_of_the_node_though_no_other_connection_is_open()
    {
        // The ordinary one ends idle, while that for large values is in use.
        FakeFactory factory = _rig.Factory(static (attempt, answer) => attempt != 3 ? new FakeTransport { Answer = answer } : throw new IOException("refused"));
        using ServerCluster cluster = await _rig.StartAsync(factory, idle: TimeSpan.FromSeconds(10));
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        await Eventually.True(
            () =>
            {
                _rig.Time.Advance(TimeSpan.FromSeconds(1));
                LargeValueRig.GetAsync(client, "big").AsTask().Wait(Eventually.Limit);
                return factory.Opened[0].IsDisposed;
            },
            "the ordinary one is idle and ends");
        factory.Opened[1].Close();
        await Eventually.True(() => node.Counters.Ends(ConnectionEndReason.ClosedByServer) == 1, "the other ends");
        Assert.Equal(MemcachedNodeState.Up, node.State);

        // The next read finds that it cannot be opened again, and has an ordinary one.
        _rig.Time.Advance(TimeSpan.FromMilliseconds(100));
        await _rig.ReadAsync(client, "big");
        Assert.Equal(4, factory.Attempts);
        Assert.Equal((1L, 1), (node.Counters.Ends(ConnectionEndReason.ConnectFailed), LargeValueRig.Reads(factory.Opened[2], "big")));
        Assert.Equal(0, node.Counters.StateChanges(MemcachedNodeState.Down));
    }

    [Fact]
    public async Task It_keeps_no_node_up_that_others_cannot_reach()
    {
        FakeFactory factory = _rig.Factory(static (attempt, answer) => attempt <= 2 ? new FakeTransport { Answer = answer } : throw new IOException("refused"));
        using ServerCluster cluster = await _rig.StartAsync(factory);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        _rig.Time.Advance(TimeSpan.FromSeconds(1));
        factory.Opened[0].Close();
        await Eventually.True(() => node.State == MemcachedNodeState.Down, "the others cannot reach it");
        Assert.False(factory.Opened[1].IsDisposed);
        int own = LargeValueRig.Reads(factory.Opened[1], "big");
        Assert.Equal(MemcachedFailureReason.Unavailable, (await LargeValueRig.GetAsync(client, "big")).Failure?.Reason);
        Assert.Equal(MemcachedFailureReason.Unavailable, (await LargeValueRig.GetAsync(client, "small")).Failure?.Reason);
        Assert.Equal((own, 0), (LargeValueRig.Reads(factory.Opened[1], "big"), LargeValueRig.Reads(factory.Opened[1], "small")));
    }

    [Fact]
    public async Task It_keeps_no_node_up_that_synchronous_callers_cannot_reach_either()
    {
        // The ordinary one ends idle, and callers who block find nobody there.
        FakeFactory factory = _rig.Factory(static (attempt, answer) => attempt <= 2 ? new FakeTransport { Answer = answer } : throw new IOException("refused"));
        using ServerCluster cluster = await _rig.StartAsync(factory, idle: TimeSpan.FromSeconds(10));
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        await Eventually.True(
            () =>
            {
                _rig.Time.Advance(TimeSpan.FromSeconds(1));
                LargeValueRig.GetAsync(client, "big").AsTask().Wait(Eventually.Limit);
                return factory.Opened[0].IsDisposed;
            },
            "the ordinary one is idle and ends");
        Assert.Equal(ResultStatus.Failed, (await client.GetAsync("small"u8, ValueTarget.OwnArray, CallMode.Sync, CancellationToken.None)).Status);
        await Eventually.True(() => node.State == MemcachedNodeState.Down, "it cannot be reached");
    }

    [Fact]
    public async Task It_ends_when_nothing_large_is_read_for_the_idle_limit()
    {
        FakeFactory factory = _rig.Factory();
        using ServerCluster cluster = await _rig.StartAsync(factory, idle: TimeSpan.FromSeconds(10));
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        await Eventually.True(
            () =>
            {
                _rig.Time.Advance(TimeSpan.FromSeconds(1));
                LargeValueRig.GetAsync(client, "small").AsTask().Wait(Eventually.Limit);
                return factory.Opened[1].IsDisposed;
            },
            "it is idle and ends");
        await Eventually.True(() => node.Counters.Ends(ConnectionEndReason.Idle) == 1, "its end is told");
        Assert.False(factory.Opened[0].IsDisposed);
        Assert.Equal(2, factory.Attempts);
        await LargeValueRig.UntilItServesAsync(client, factory, number: 3);
        Assert.Equal((MemcachedNodeState.Up, 0L), (node.State, node.Counters.Errors));
    }

    [Fact]
    public async Task It_follows_the_others_to_another_server()
    {
        IPAddress address = IPAddress.Parse("192.0.2.1");
        FakeFactory factory = _rig.Factory((_, answer) => new FakeTransport { Handshake = FakeTransport.Modern, Answer = answer, Address = Volatile.Read(ref address) });
        using ServerCluster cluster = await _rig.StartAsync(factory);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        _rig.Time.Advance(TimeSpan.FromSeconds(1)); // a node stays for a while where it is
        Volatile.Write(ref address, IPAddress.Parse("192.0.2.2"));
        node.Renew(other => other.RemoteAddress is not null && factory.Opened.Count == 2);
        await Eventually.True(() => factory.Opened[0].IsDisposed && factory.Opened[1].IsDisposed, "both have left");
        await Eventually.True(
            () =>
            {
                // Until the other server is believed, nobody is asked.
                _rig.Time.Advance(TimeSpan.FromMilliseconds(50));
                LargeValueRig.GetAsync(client, "big").AsTask().Wait(Eventually.Limit);
                return factory.Opened.Skip(2).Any(static transport => LargeValueRig.Reads(transport, "big") > 0 && !transport.IsDisposed)
                    && node.Counters.Open == 2;
            },
            "both are there");
        Assert.All(factory.Opened.Where(static transport => !transport.IsDisposed), transport => Assert.Equal(address, transport.RemoteAddress));
        Assert.Equal(MemcachedNodeState.Up, node.State);
    }

    [Fact]
    public async Task Where_it_finds_another_server_it_ends_and_the_others_stay()
    {
        FakeFactory factory = _rig.Factory(
            static (attempt, answer)
                => new FakeTransport { Answer = answer, Address = IPAddress.Parse(attempt == 2 ? "192.0.2.2" : "192.0.2.1") });
        using ServerCluster cluster = await _rig.StartAsync(factory);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await Eventually.True(
            () =>
            {
                LargeValueRig.GetAsync(client, "big").AsTask().Wait(Eventually.Limit);
                return factory.Opened.Count == 2 && factory.Opened[1].IsDisposed;
            },
            "it is ended");
        await Eventually.True(() => node.Counters.Ends(ConnectionEndReason.ConnectFailed) == 1, "its end is told");
        Assert.Equal("", factory.Opened[1].Sent);
        Assert.False(factory.Opened[0].IsDisposed);
        await _rig.ReadAsync(client, "big");
        Assert.Equal((2, 0L), (factory.Attempts, node.Counters.Errors));
        _rig.Time.Advance(TimeSpan.FromMilliseconds(100));
        await LargeValueRig.UntilItServesAsync(client, factory, number: 3);
        Assert.Equal(MemcachedNodeState.Up, node.State);
    }

    [Fact]
    public async Task It_is_ended_with_the_node()
    {
        FakeFactory factory = _rig.Factory();
        ServerCluster cluster = await _rig.StartAsync(factory);
        await LargeValueRig.UntilItServesAsync(new ClusterClient(cluster), factory);
        cluster.Dispose();
        await Eventually.True(() => factory.Opened.All(static transport => transport.IsDisposed), "all are closed");
        Assert.Equal(2, factory.Attempts);
    }
}
