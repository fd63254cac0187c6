using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>A reply has to come to its end: bytes now and then are no progress.</summary>
public sealed class DrippingReplyTests
{
    [Theory]
    [InlineData("VA 1000000 f0 t1 O1\r\n")]
    [InlineData("VA 1000000 f7 t1 O1\r\n12")]
    [InlineData("HD O")]
    public async Task A_server_that_sends_a_byte_now_and_then_is_given_up(string begin)
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> read = rig.Execute(OperationKind.Get);
        Task<OperationResult> behind = rig.Execute(OperationKind.Delete);
        await ReplyAsync(rig, begin);
        int ticks = 0;
        while (rig.Connection.IsUsable)
        {
            Assert.True(++ticks <= 2 * OperationClock.TicksPerTimeout, "the connection is kept");
            await ReplyAsync(rig, "1");
            rig.Pass(rig.Clock.Interval);
        }

        // Not before a whole limit has passed since those who waited gave up.
        Assert.InRange(ticks, (2 * OperationClock.TicksPerTimeout) - 1, 2 * OperationClock.TicksPerTimeout);
        await rig.Connection.Finished.WaitAsync(Eventually.Limit);
        Assert.Equal(ConnectionEndReason.Stalled, Assert.Single(rig.Ends).Reason);
        Assert.All(
            await Task.WhenAll(read, behind).WaitAsync(Eventually.Limit),
            static result => Assert.Equal(MemcachedFailureReason.TimedOut, result.Failure!.Reason));

        // Once as it timed out, and once as it was lost with the connection.
        Assert.Equal(["key", "key"], rig.Lost);
    }

    [Fact]
    public async Task A_server_that_is_late_with_each_reply_and_ends_them_is_kept()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult>[] tasks = [.. Enumerable.Range(0, 100).Select(_ => rig.Execute(OperationKind.Get))];
        for (int i = 1; i <= tasks.Length; i++)
        {
            await ReplyAsync(rig, $"EN O{i}\r\n");
            rig.Pass(rig.Limit * 0.9);
        }

        Assert.True(rig.Connection.IsUsable);
        Task<OperationResult> next = rig.Execute(OperationKind.Get);
        rig.Transport.Reply("EN O101\r\n");
        Assert.Equal(ResultStatus.Miss, (await next.WaitAsync(Eventually.Limit)).Status);
        await Task.WhenAll(tasks).WaitAsync(Eventually.Limit);
    }

    [Theory]
    [InlineData(13, true)]
    [InlineData(27, false)]
    public async Task A_value_on_a_slow_link_has_its_whole_limit_and_one_that_takes_longer_still_ends(int ticks, bool isInTime)
    {
        const int Piece = 30_000;
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> read = rig.Execute(OperationKind.Get);
        rig.Transport.Reply($"VA {ticks * Piece} f0 t1 O1\r\n");
        for (int i = 0; i < ticks; i++)
        {
            rig.Pass(rig.Clock.Interval);
            rig.Transport.Reply(new byte[Piece]);
            await Eventually.True(() => rig.Transport.IsReadUp, "it is received");
        }

        await ReplyAsync(rig, "\r\n");
        OperationResult result = await read.WaitAsync(Eventually.Limit);
        Assert.Equal(isInTime ? ResultStatus.Success : ResultStatus.Failed, result.Status);
        Task<OperationResult> next = rig.Execute(OperationKind.Get);
        rig.Transport.Reply("VA 1 f0 t1 O2\r\nx\r\n");
        Assert.Equal("x"u8.ToArray(), (await next.WaitAsync(Eventually.Limit)).Value);
    }

    [Fact]
    public async Task A_node_that_is_down_is_not_tried_by_a_connection_that_is_behind()
    {
        var time = new ManualTimeProvider();
        int opened = 0;
        var factory = new FakeFactory((Func<int, FakeTransport>)(_ => ++opened == 1 ? new FakeTransport() : new FakeTransport { AnswersNoOp = true }));
        using ServerCluster cluster = ClusterRig.Start(factory, time, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        var client = new ClusterClient(cluster);
        Task<OperationResult>[] reads =
        [
            .. Enumerable
                .Range(0, 40)
                .Select(_ => client.GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None).AsTask()),
        ];
        TimeSpan passed = TimeSpan.Zero;
        await Eventually.True(
            () =>
            {
                // A byte of the first reply at each step: never silent, never done.
                factory.Opened[0].Reply(passed == TimeSpan.Zero ? "VA 100000 f0 t1 O1\r\n" : "x");
                time.Advance(TimeSpan.FromMilliseconds(20));
                passed += TimeSpan.FromMilliseconds(20);
                return factory.Opened.Count >= 2 && node.State == MemcachedNodeState.Up;
            },
            "another connection is opened, and the node is up by that");
        Assert.DoesNotContain("mn", factory.Opened[0].Sent, StringComparison.Ordinal);
        Assert.True(factory.Opened[0].IsDisposed);
        Assert.All(await Task.WhenAll(reads).WaitAsync(Eventually.Limit), static read => Assert.Equal(ResultStatus.Failed, read.Status));
    }

    private static async Task ReplyAsync(ConnectionRig rig, string text)
    {
        rig.Transport.Reply(text);
        await Eventually.True(() => rig.Transport.IsReadUp, "it is received");
    }
}
