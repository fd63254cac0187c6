using MemcachedDistributedCache.Consistency;
using System.Net;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>A node whose name leads elsewhere, and back.</summary>
public sealed class AddressTests : IDisposable
{
    private static readonly IPAddress First = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress Second = IPAddress.Parse("192.0.2.2");

    /// <summary>At least so long a node stays where it is.</summary>
    private static readonly TimeSpan Stay = TimeSpan.FromMilliseconds(100);

    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();
    private int _counted = 99;

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task Connections_of_shared_servers_may_lead_to_several_addresses()
    {
        var factory = new FakeFactory(static attempt => new FakeTransport { Address = attempt % 2 == 0 ? Second : First, AnswersNoOp = true });
        ClusterSettings settings = ClusterRig.Settings(factory, _time, connections: 2);
        using var cluster = new ServerCluster(
            settings with { Connections = settings.Connections with { IsShared = true } },
            [new ServerSpec(new ServerAddress("mc1", 11211), 1)],
            NameResolver.System,
            _log);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        for (int key = 0; key < 20; key++)
        {
            _ = client.GetAsync(System.Text.Encoding.ASCII.GetBytes($"key{key}"), ValueTarget.OwnArray, CallMode.Async, CancellationToken.None).AsTask();
        }

        await Eventually.True(
            () => factory.Opened.Count == 2 && factory.Opened.All(static one => one.Sent.Contains("mg key", StringComparison.Ordinal)),
            "both are used");
        Assert.NotEqual(factory.Opened[0].Address, factory.Opened[1].Address);
        Assert.All(factory.Opened, static one => Assert.False(one.IsDisposed));
        Assert.False(node.Consistency.Writes.AreAllUncertain);
        Assert.Equal(MemcachedNodeState.Up, node.State);
    }

    [Fact]
    public async Task A_server_that_is_renamed_keeps_its_connections_and_opens_new_ones_under_the_new_name()
    {
        var factory = new FakeFactory();
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "it is up");
        await cluster.ReloadAsync([new ServerSpec(node.Address with { ConfiguredHost = "other" }, 1)]);
        Assert.Same(node, Assert.Single(cluster.Nodes));
        Assert.Equal(1, factory.Attempts);
        node.Renew(static _ => true);
        await Eventually.True(() => factory.Attempts == 2, "another connection is opened");
        Assert.Equal("other", factory.Address!.ConfiguredHost);
        Task<ServerStatistics?> asking = ((INodeChannel)node).GetStatisticsAsync(new CancellationToken(canceled: true));
        await asking.WaitAsync(Eventually.Limit);
        Assert.Equal((3, "other"), (factory.Attempts, factory.Address.ConfiguredHost));
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(3ul)]
    public async Task A_read_that_waits_for_the_connection_is_not_answered_with_what_a_former_server_has(ulong fenceOfTheOther)
    {
        var opening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var factory = new FakeFactory(async (attempt, _) =>
        {
            await (attempt == 3 ? opening.Task : Task.CompletedTask).ConfigureAwait(false);
            return new FakeTransport { Handshake = FakeTransport.Modern, Address = attempt == 2 ? Second : First, Answer = OldValue };
        });
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "it is at the first server");
        _time.Advance(Stay);
        node.Renew(static _ => true);
        await Eventually.True(() => node.Consistency.Writes.AreAllUncertain, "it is at the second server");
        await SettledAgainAsync(node);
        node.SetFence(fenceOfTheOther);

        // The read finds its key not uncertain, and a connection of which nobody knows yet where it leads.
        node.Renew(static _ => true);
        await Eventually.True(() => factory.Attempts == 3, "it goes back");
        ValueTask<OperationResult> reading = new ClusterClient(cluster).GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);
        Assert.False(node.Consistency.Writes.AreAllUncertain);
        opening.SetResult();
        Assert.Equal(ResultStatus.Miss, (await reading.AsTask().WaitAsync(Eventually.Limit)).Status);
        Assert.Contains("mg key ", factory.Opened[2].Sent, StringComparison.Ordinal);
        Assert.True(node.Consistency.Writes.AreAllUncertain);

        // Believed again, it gives out what it was given since, and no more.
        await SettledAgainAsync(node);
        Assert.InRange(node.Consistency.Fences.WholeNode.Value, 100ul, 500ul);
    }

    [Fact]
    public async Task A_look_that_is_under_way_as_the_server_changes_takes_back_no_fence()
    {
        var factory = new FakeFactory((Func<int, FakeTransport>)(attempt => new FakeTransport { Handshake = FakeTransport.Modern, Address = attempt == 3 ? Second : First, Answer = attempt == 2 ? null : OldValue }));
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "it is at the first server");
        node.SetFence(500);
        node.Renew(static _ => true);
        await Eventually.True(
            () => factory.Opened.Count == 2 && factory.Opened[1].Sent.Contains("ms ", StringComparison.Ordinal),
            "the server is asked how far it has counted");

        _time.Advance(Stay);
        node.Renew(static _ => true);
        await Eventually.True(() => node.Consistency.Writes.AreAllUncertain, "it is at another server");
        string probe = factory.Opened[1].Sent.Split("\r\n").Last(static line => line.StartsWith("ms ", StringComparison.Ordinal));
        factory.Opened[1].Reply($"HD c7 {ClusterRig.TokenOf(probe)}\r\n");
        await Eventually.True(() => factory.Opened[1].IsReadUp && node.PendingCount == 0, "the answer has come");
        await SettledAgainAsync(
            node,
            () =>
                Assert.True(
                    node.Consistency.Fences.WholeNode.Value >= 100,
                    $"what is numbered above {node.Consistency.Fences.WholeNode.Value} would be read"));
        Assert.InRange(node.Consistency.Fences.WholeNode.Value, 100ul, 500ul);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task All_connections_follow_the_one_that_finds_another_server(bool isFoundByBlockedCaller)
    {
        CallMode finder = isFoundByBlockedCaller ? CallMode.Sync : CallMode.Async;
        CallMode other = isFoundByBlockedCaller ? CallMode.Async : CallMode.Sync;
        IPAddress address = First;
        var factory = new FakeFactory((Func<int, FakeTransport>)(_ => new FakeTransport { Handshake = FakeTransport.Modern, Address = Volatile.Read(ref address), Answer = OldValue }));
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log, attemptLimit: Eventually.Limit);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "it is at the first server");
        Assert.Equal(ResultStatus.Success, (await client.GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Sync, CancellationToken.None)).Status);
        Assert.Equal(2, factory.Opened.Count);

        // One that has lived for a while is replaced at once, and the node stays up.
        _time.Advance(TimeSpan.FromSeconds(1));
        Volatile.Write(ref address, Second);
        factory.Opened[finder == CallMode.Async ? 0 : 1].Close();
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                client.GetAsync("key"u8, ValueTarget.OwnArray, finder, CancellationToken.None).AsTask().Wait(Eventually.Limit);
                return factory.Opened.Count == 4 && factory.Opened[0].IsDisposed && factory.Opened[1].IsDisposed && node.State == MemcachedNodeState.Up;
            },
            "both are at the second server");
        Assert.All(factory.Opened.Skip(2), static transport => Assert.Equal(Second, transport.RemoteAddress));

        // What it held before is not read by either.
        await SettledAgainAsync(node);
        Assert.Equal(ResultStatus.Miss, (await client.GetAsync("key"u8, ValueTarget.OwnArray, finder, CancellationToken.None)).Status);
        Assert.Equal(ResultStatus.Miss, (await client.GetAsync("key"u8, ValueTarget.OwnArray, other, CancellationToken.None)).Status);
        Assert.Equal(4, factory.Opened.Count);
    }

    [Fact]
    public async Task What_waits_for_a_connection_that_was_replaced_before_it_arrived_elsewhere_is_not_sent()
    {
        var opening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var arriving = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var factory = new FakeFactory(async (attempt, _) =>
        {
            // Not on the thread of whoever asks for it: the test's must not wait for the others.
            await Task.Yield();
            await (attempt == 2 ? opening.Task : Task.CompletedTask).ConfigureAwait(false);
            return new FakeTransport { Handshake = FakeTransport.Modern, Address = attempt <= 2 ? First : Second, Answer = OldValue };
        })
        {
            Preferring = address =>
            {
                if (address.Equals(Second))
                {
                    arriving.Set();
                    Assert.True(goOn.Wait(Eventually.Limit));
                }
            },
        };
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "it is at the first server");
        _time.Advance(TimeSpan.FromSeconds(1));
        factory.Opened[0].Close();
        await Eventually.True(() => factory.Attempts == 2, "another is opened in its place");
        Task<OperationResult> reading = client.GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None).AsTask();

        // A blocked caller's connection arrives at the second server; meanwhile the other is open at the first, and is replaced.
        Task<OperationResult> blocked = Task.Run(() => client.GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Sync, CancellationToken.None).AsTask());
        Assert.True(arriving.Wait(Eventually.Limit));
        opening.SetResult();
        bool isReplaced = false;
        await Eventually.True(
            () =>
            {
                node.Renew(connection => isReplaced |= connection.RemoteAddress!.Equals(First));
                return isReplaced;
            },
            "it is replaced");
        _time.Advance(Stay);
        goOn.Set();
        OperationResult result = await reading.WaitAsync(Eventually.Limit);
        Assert.Equal((ResultStatus.Failed, false), (result.Status, result.Failure?.WasSent));
        FakeTransport left = factory.Opened.Single(transport => transport != factory.Opened[0] && transport.Address!.Equals(First));
        await Eventually.True(() => left.IsDisposed, "it is ended");
        Assert.DoesNotContain("mg ", left.Sent, StringComparison.Ordinal);
        Assert.NotEqual(ResultStatus.Success, (await blocked.WaitAsync(Eventually.Limit)).Status);
    }

    [Fact]
    public async Task Connections_do_not_follow_each_other_without_end()
    {
        var factory = new FakeFactory((Func<int, FakeTransport>)(attempt => new FakeTransport { Handshake = FakeTransport.Modern, Address = attempt % 2 == 1 ? First : Second, Answer = OldValue }));
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log, attemptLimit: Eventually.Limit);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "it is at the first server");
        Assert.Equal(ResultStatus.Failed, (await client.GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Sync, CancellationToken.None)).Status);
        await Eventually.True(() => node.Counters.Ends(ConnectionEndReason.ConnectFailed) == 1, "the one that is elsewhere is ended");
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(ResultStatus.Success, (await client.GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None)).Status);
            Assert.Equal(ResultStatus.Failed, (await client.GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Sync, CancellationToken.None)).Status);
        }

        Assert.Equal(2, factory.Attempts);
    }

    [Fact]
    public async Task A_connection_that_was_opened_apart_is_not_taken_if_the_others_have_gone_elsewhere()
    {
        using ConnectionRig before = await Rig(First).Opened();
        using ConnectionRig after = await Rig(Second).Opened();
        var slots = new ConnectionSlots(1, mode => new ConnectionSlot(mode, static _ => throw new InvalidOperationException(), before.Time, Stay));
        var uncertain = new UncertainWrites(10, SilentNode.Fences());
        var address = new NodeAddress(new ServerAddress("mc1", 11211), slots, uncertain, before.Settings, Stay);
        Assert.True(address.Arrive(before.Connection));
        Assert.False(uncertain.AreAllUncertain);
        before.Time.Advance(Stay);
        Assert.True(address.Arrive(after.Connection));
        Assert.True(uncertain.AreAllUncertain);
        Assert.False(address.TryInstall(slots.First, before.Connection));
        Assert.True(address.TryInstall(slots.First, after.Connection));

        static ConnectionRig Rig(IPAddress address) => new(new FakeFactory((Func<int, FakeTransport>)(_ => new FakeTransport { Address = address })));
    }

    private Task SettledAgainAsync(Node node, Action? meanwhile = null) => Eventually.True(
        () =>
        {
            meanwhile?.Invoke();
            _time.Advance(TimeSpan.FromMilliseconds(50));
            return !node.Consistency.Writes.AreAllUncertain;
        },
        "it is believed again");

    /// <summary>A server on which everything was stored as its fiftieth item, and which has counted to 100 and more.</summary>
    private string OldValue(string sent)
        => string.Concat(sent.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0] switch
        {
            "mg" => $"VA 1 f0 t-1 c50 {ClusterRig.TokenOf(line)}\r\nx\r\n",
            "ms" => $"HD c{Interlocked.Increment(ref _counted)} {ClusterRig.TokenOf(line)}\r\n",
            "mn" => "MN\r\n",
            _ => "",
        }));
}
