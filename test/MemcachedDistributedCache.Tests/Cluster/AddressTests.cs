using System.Net;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using OperationStatus = MemcachedDistributedCache.Connections.OperationStatus;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>A node whose name leads elsewhere, and back.</summary>
public sealed class AddressTests : IDisposable
{
    private static readonly IPAddress First = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress Second = IPAddress.Parse("192.0.2.2");

    /// <summary>Of a version that is not asked for its statistics, on connections of their own.</summary>
    private static readonly string Modern = FakeTransport.Welcome.Replace("1.6.18", "1.6.24", StringComparison.Ordinal);

    private readonly ManualTimeProvider _time = new();
    private readonly ListLogger _log = new();
    private int _counted = 99;

    public void Dispose() => _log.Dispose();

    [Theory]
    [InlineData(0ul)]
    [InlineData(3ul)]
    public async Task AReadThatWaitsForTheConnectionIsNotAnsweredWithWhatAFormerServerHas(ulong floorOfTheOther)
    {
        var opening = new TaskCompletionSource();
        var factory = new FakeFactory(async (attempt, _) =>
        {
            await (attempt == 3 ? opening.Task : Task.CompletedTask).ConfigureAwait(false);
            return new FakeTransport { Greeting = Modern, Address = attempt == 2 ? Second : First, Answer = OldValue };
        });
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "it is at the first server");
        node.Renew(static _ => true);
        await Eventually.True(() => factory.Opened.Count == 2 && factory.Opened[0].IsDisposed, "it is at the second server");
        node.Trust.Floor = floorOfTheOther;

        // The read finds its key in no doubt, and a connection of which nobody knows yet where it leads.
        node.Renew(static _ => true);
        await Eventually.True(() => factory.Attempts == 3, "it goes back");
        ValueTask<OperationResult> reading = new MemcachedClient(cluster).GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);
        Assert.False(node.Suspects.DistrustsAll);
        opening.SetResult();
        Assert.Equal(OperationStatus.Miss, (await reading.AsTask().WaitAsync(Eventually.Limit)).Status);
        Assert.Contains("mg key ", factory.Opened[2].Sent, StringComparison.Ordinal);
        Assert.True(node.Suspects.DistrustsAll);

        // Believed again, it gives out what it was given since, and no more.
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return !node.Suspects.DistrustsAll;
            },
            "it is believed again");
        Assert.InRange(node.Trust.Floor, 100ul, 500ul);
    }

    [Fact]
    public async Task ALookThatIsUnderWayAsTheServerChangesTakesBackNoFloor()
    {
        var factory = new FakeFactory((Func<int, FakeTransport>)(attempt => new FakeTransport { Greeting = Modern, Address = attempt == 2 ? Second : First, Answer = attempt == 2 ? null : OldValue }));
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "it is at the first server");
        node.Trust.Floor = 500;
        node.Renew(static _ => true);
        await Eventually.True(() => factory.Opened.Count == 2 && factory.Opened[1].Sent.Contains("ms ", StringComparison.Ordinal), "the second is asked how far it has counted");

        node.Renew(static _ => true);
        await Eventually.True(() => node.Suspects.DistrustsAll, "it is back at the first server");
        string probe = factory.Opened[1].Sent.Split("\r\n").Last(static line => line.StartsWith("ms ", StringComparison.Ordinal));
        factory.Opened[1].Reply($"HD c7 {ClusterRig.TokenOf(probe)}\r\n");
        await Eventually.True(() => factory.Opened[1].Unread == 0 && node.PendingCount == 0, "the answer has come");
        await Eventually.True(
            () =>
            {
                Assert.True(node.Trust.Floor >= 100, $"what is numbered above {node.Trust.Floor} would be read");
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return !node.Suspects.DistrustsAll;
            },
            "it is believed again");
        Assert.InRange(node.Trust.Floor, 100ul, 500ul);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AllConnectionsFollowTheOneThatFindsAnotherServer(bool isFoundByBlockedCaller)
    {
        CallMode finder = isFoundByBlockedCaller ? CallMode.Sync : CallMode.Async;
        CallMode other = isFoundByBlockedCaller ? CallMode.Async : CallMode.Sync;
        IPAddress address = First;
        var factory = new FakeFactory((Func<int, FakeTransport>)(_ => new FakeTransport { Greeting = Modern, Address = Volatile.Read(ref address), Answer = OldValue }));
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        var client = new MemcachedClient(cluster);
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "it is at the first server");
        Assert.Equal(OperationStatus.Success, (await client.GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Sync, CancellationToken.None)).Status);
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
                return factory.Opened.Count == 4 && factory.Opened[0].IsDisposed && factory.Opened[1].IsDisposed;
            },
            "both are at the second server");
        Assert.All(factory.Opened.Skip(2), static transport => Assert.Equal(Second, transport.RemoteAddress));
        Assert.Equal(OperationStatus.Success, (await client.GetAsync("key"u8, ValueTarget.OwnArray, other, CancellationToken.None)).Status);
        Assert.Equal(4, factory.Opened.Count);
    }

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
