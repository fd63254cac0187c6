using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Diagnostics;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>A server that numbers items anew as it moves them lets old ones past a floor, which is found anew then.</summary>
public sealed class RenumberingWatchTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly ListLogger _log = new();
    private string _statistics = Statistics(0);
    private long _cas = 100;
    private int _asked;

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task WhatIsMovedHasTheFloorRaisedAgainOnceAnEvent()
    {
        using ServerCluster cluster = Start();
        Node node = await DistrustedAndTrustedAgainAsync(cluster);
        ulong first = node.Trust.Floor;
        Assert.Equal(101ul, first);
        await StepAsync(TimeSpan.FromSeconds(5));
        Assert.InRange(Volatile.Read(ref _asked), 4, 7); // once a second, and once before
        Assert.Equal(0, Logged());

        Volatile.Write(ref _cas, 500);
        _statistics = Statistics(12);
        await Until(() => node.Suspects.DistrustsAll, "what is there is not read any more");
        await Until(() => !node.Suspects.DistrustsAll, "it is read again from a later floor on");
        Assert.Equal(501ul, node.Trust.Floor);
        await StepAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(501ul, node.Trust.Floor);
        Assert.Equal(1, Logged());
    }

    [Fact]
    public async Task WhileAPageIsMovedNoFloorIsFinal()
    {
        _statistics = Statistics(0, isMoving: true);
        using ServerCluster cluster = Start();
        Node node = await DistrustedAndTrustedAgainAsync(cluster);

        // The page was being moved when the floor was found, and has been moved since.
        Volatile.Write(ref _cas, 500);
        _statistics = Statistics(0);
        await Until(() => node.Trust.Floor == 501, "the floor is raised");
        await StepAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(501ul, node.Trust.Floor);
        Assert.False(node.Suspects.DistrustsAll);
    }

    [Fact]
    public async Task AServerThatDoesNotTellIsNotBelieved()
    {
        using ServerCluster cluster = Start();
        Node node = await DistrustedAndTrustedAgainAsync(cluster);
        _statistics = "ERROR\r\n";
        await Until(() => node.Suspects.DistrustsAll, "what is there is not read any more");
        await StepAsync(TimeSpan.FromSeconds(10));
        Assert.True(node.Suspects.DistrustsAll);
        Assert.Equal(1, Logged());
        _statistics = Statistics(0);
        await Until(() => !node.Suspects.DistrustsAll, "it tells again, and is believed from then on");
    }

    [Fact]
    public async Task TheFloorsOfSomeKeysAreRaisedToo()
    {
        using ServerCluster cluster = Start();
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        var floor = new CasFloor();
        node.Floors.Raise(floor);
        await Until(() => floor.Admits(102) && !floor.Admits(101), "the floor is found");
        Volatile.Write(ref _cas, 500);
        _statistics = Statistics(12);
        await Until(() => floor.Admits(502) && !floor.Admits(501), "it is raised");
        Assert.False(node.Suspects.DistrustsAll);

        // Nobody asks any more once it is of no use.
        node.Floors.Drop(floor);
        await StepAsync(TimeSpan.FromSeconds(2));
        int asked = Volatile.Read(ref _asked);
        await StepAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(asked, Volatile.Read(ref _asked));
    }

    [Fact]
    public async Task AServerThatLeavesItemsTheirNumbersIsNotAsked()
    {
        using ServerCluster cluster = Start("1.6.24");
        Node node = await DistrustedAndTrustedAgainAsync(cluster);
        await StepAsync(TimeSpan.FromSeconds(5));
        Assert.Equal((101ul, 0, 0), (node.Trust.Floor, Volatile.Read(ref _asked), Logged()));
    }

    private static string Statistics(long rescues, bool isMoving = false)
        => $"STAT uptime 90\r\nSTAT curr_connections 7\r\nSTAT get_hits 12\r\nSTAT get_misses 3\r\nSTAT slab_reassign_rescues {rescues}\r\nSTAT slab_reassign_running {(isMoving ? 1 : 0)}\r\n"
            + "STAT limit_maxbytes 67108864\r\nSTAT bytes 4096\r\nSTAT curr_items 5\r\nSTAT evictions 2\r\nEND\r\n";

    private ServerCluster Start(string version = "1.6.23") => ClusterRig.Start(
        new FakeFactory((Func<int, FakeTransport>)(_ => new FakeTransport { Greeting = FakeTransport.Welcome.Replace("1.6.18", version, StringComparison.Ordinal), Answer = Answer })),
        _time,
        _log,
        maximumSuspects: 1);

    private string? Answer(string sent)
    {
        if (sent == "stats\r\n")
        {
            Interlocked.Increment(ref _asked);
            return Volatile.Read(ref _statistics);
        }

        return sent.Split(' ')[0] switch
        {
            "ms" => $"HD c{Interlocked.Increment(ref _cas)} {ClusterRig.TokenOf(sent)}\r\n",
            "mn\r\n" => "MN\r\n",
            _ => null,
        };
    }

    private async Task<Node> DistrustedAndTrustedAgainAsync(ServerCluster cluster)
    {
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        node.DistrustAll();
        await Until(() => !node.Suspects.DistrustsAll, "it is read again");
        return node;
    }

    private int Logged() => _log.Ids.Count(static id => id == EventIds.FloorsPassed);

    private Task Until(Func<bool> condition, string what) => Eventually.True(
        () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(20));
            return condition();
        },
        what);

    private async Task StepAsync(TimeSpan by)
    {
        for (TimeSpan gone = TimeSpan.Zero; gone < by; gone += TimeSpan.FromMilliseconds(20))
        {
            _time.Advance(TimeSpan.FromMilliseconds(20));
            await Task.Delay(1);
        }
    }
}
