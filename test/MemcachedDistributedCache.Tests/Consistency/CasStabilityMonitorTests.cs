using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;

namespace MemcachedDistributedCache.Tests.Consistency;

/// <summary>A server that gives items a new CAS as it moves them lets old ones past a fence, which is found anew then.</summary>
public sealed class CasStabilityMonitorTests : IDisposable
{
    /// <summary>What an exchange of statistics may take: the rig's limits of a connect and of an attempt.</summary>
    private static readonly TimeSpan ExchangeLimit = TimeSpan.FromSeconds(3);

    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();
    private string? _statistics = Statistics(0);
    private long _cas = 100;
    private int _asked;
    private Node? _node;
    private bool _wasUncertain;

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task What_is_moved_has_the_fence_renewed_again_once_an_event()
    {
        using ServerCluster cluster = Start();
        Node node = await UncertainAndSettledAgainAsync(cluster);
        ulong first = node.Consistency.Fences.WholeNode.Value;
        Assert.Equal(101ul, first);
        await StepAsync(TimeSpan.FromSeconds(5));
        Assert.InRange(Volatile.Read(ref _asked), 4, 7); // once a second, and once before
        Assert.Equal(0, Logged());

        Volatile.Write(ref _cas, 500);
        _statistics = Statistics(12);
        Volatile.Write(ref _wasUncertain, false);
        await Until(() => node.Consistency.Fences.WholeNode.Value != first, "the fence is renewed");
        await Until(() => !node.Consistency.Writes.AreAllUncertain, "it is read again from a later fence on");
        Assert.Equal(501ul, node.Consistency.Fences.WholeNode.Value);
        Assert.True(Volatile.Read(ref _wasUncertain), "what is there was read while the fence was asked for");
        await StepAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(501ul, node.Consistency.Fences.WholeNode.Value);
        await Eventually.True(() => Logged() >= 1, "it is logged");
        Assert.Equal(1, Logged());
    }

    [Fact]
    public async Task While_a_page_is_moved_no_fence_is_final()
    {
        _statistics = Statistics(0, isMoving: true);
        using ServerCluster cluster = Start();
        Node node = await UncertainAndSettledAgainAsync(cluster);

        // The page was being moved when the fence was found, and has been moved since.
        Volatile.Write(ref _cas, 500);
        _statistics = Statistics(0);
        await Until(() => node.Consistency.Fences.WholeNode.Value == 501, "the fence is renewed");
        await StepAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(501ul, node.Consistency.Fences.WholeNode.Value);
        Assert.False(node.Consistency.Writes.AreAllUncertain);
    }

    [Fact]
    public async Task A_server_that_takes_the_question_and_says_nothing_is_not_believed_between_two_looks()
    {
        using ServerCluster cluster = Start();
        Node node = await UncertainAndSettledAgainAsync(cluster);
        _statistics = null;
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(20));
                return node.Consistency.Writes.AreAllUncertain;
            },
            "what is there is not read any more");

        // Each look lasts three seconds, and a pause of two would be over before the next has ended.
        for (int step = 0; step < 800; step++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(20));
            await Eventually.True(() => node.PendingCount == 0, "its own connection answers");
            Assert.True(node.Consistency.Writes.AreAllUncertain);
        }

        _statistics = Statistics(0);
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(20));
                return !node.Consistency.Writes.AreAllUncertain;
            },
            "it tells again, and is believed from then on");
    }

    [Fact]
    public async Task A_server_that_does_not_tell_is_not_believed()
    {
        using ServerCluster cluster = Start();
        Node node = await UncertainAndSettledAgainAsync(cluster);
        _statistics = "ERROR\r\n";
        await Until(() => node.Consistency.Writes.AreAllUncertain, "what is there is not read any more");

        // It is asked again each time that a grace is over, and nobody looks in between: there is no fence to be watched.
        int asked = Volatile.Read(ref _asked);
        await StepAsync(TimeSpan.FromSeconds(10), isWatched: false);
        Assert.InRange(Volatile.Read(ref _asked) - asked, 1, 11);
        Assert.True(node.Consistency.Writes.AreAllUncertain);
        await Eventually.True(() => Logged() >= 1, "it is logged");
        Assert.Equal(1, Logged());
        _statistics = Statistics(0);
        await Until(() => !node.Consistency.Writes.AreAllUncertain, "it tells again, and is believed from then on");
    }

    [Fact]
    public async Task The_fences_of_some_keys_are_renewed_too()
    {
        using ServerCluster cluster = Start();
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        var fence = new CasFence();
        node.Consistency.Fences.Renew(fence);
        await Until(() => fence.Admits(102) && !fence.Admits(101), "the fence is found");
        Volatile.Write(ref _cas, 500);
        _statistics = Statistics(12);
        await Until(() => fence.Admits(502) && !fence.Admits(501), "it is raised");
        Assert.False(node.Consistency.Writes.AreAllUncertain);

        // Nobody asks any more once it is of no use.
        await WatcherWaits();
        node.Consistency.Fences.Drop(fence);
        await StepAsync(TimeSpan.FromSeconds(2), isWatched: false);
        int asked = Volatile.Read(ref _asked);
        await StepAsync(TimeSpan.FromSeconds(5), isWatched: false);
        Assert.Equal(asked, Volatile.Read(ref _asked));
    }

    [Fact]
    public async Task A_server_that_leaves_items_their_numbers_is_not_asked()
    {
        using ServerCluster cluster = Start("1.6.24");
        Node node = await UncertainAndSettledAgainAsync(cluster);
        await StepAsync(TimeSpan.FromSeconds(5), isWatched: false);
        Assert.Equal((101ul, 0, 0), (node.Consistency.Fences.WholeNode.Value, Volatile.Read(ref _asked), Logged()));
    }

    private static string Statistics(long rescues, bool isMoving = false)
        => $"STAT uptime 90\r\nSTAT curr_connections 7\r\nSTAT get_hits 12\r\nSTAT get_misses 3\r\nSTAT slab_reassign_rescues {rescues}\r\nSTAT slab_reassign_running {(isMoving ? 1 : 0)}\r\n"
            + "STAT limit_maxbytes 67108864\r\nSTAT bytes 4096\r\nSTAT curr_items 5\r\nSTAT evictions 2\r\nEND\r\n";

    private ServerCluster Start(string version = "1.6.23")
    {
        var factory = new FakeFactory(
            (Func<int, FakeTransport>)(
                _ => new FakeTransport
                {
                    Handshake = FakeTransport.Welcome.Replace("1.6.18", version, StringComparison.Ordinal),
                    Answer = Answer,
                }));
        ServerCluster cluster = ClusterRig.Start(factory, _time, _log, maximumUncertain: 1);
        Volatile.Write(ref _node, cluster.Nodes[0]);
        return cluster;
    }

    private string? Answer(string sent)
    {
        if (sent == "stats\r\n")
        {
            Interlocked.Increment(ref _asked);
            return Volatile.Read(ref _statistics);
        }

        if (sent.StartsWith("ms ", StringComparison.Ordinal))
        {
            Volatile.Write(ref _wasUncertain, Volatile.Read(ref _node) is { Consistency.Writes.AreAllUncertain: true });
            return $"HD c{Interlocked.Increment(ref _cas)} {ClusterRig.TokenOf(sent)}\r\n";
        }

        return sent switch
        {
            "mn\r\n" => "MN\r\n",
            _ => null,
        };
    }

    private async Task<Node> UncertainAndSettledAgainAsync(ServerCluster cluster)
    {
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        node.Consistency.MarkAll();
        await Until(() => !node.Consistency.Writes.AreAllUncertain, "it is read again");
        return node;
    }

    private int Logged() => _log.Ids.Count(static id => id == EventIds.FencesBypassed);

    /// <summary>The watcher has looked, and waits for the next time.</summary>
    private Task WatcherWaits() => Eventually.True(() => _time.IsPausing(CasStabilityMonitor.Interval), "the watcher waits for its next look");

    private Task Until(Func<bool> condition, string what) => Eventually.True(
        () =>
        {
            if (IsIdle())
            {
                _time.Advance(TimeSpan.FromMilliseconds(20));
            }

            return condition();
        },
        what);

    /// <summary>
    /// Moves the clock, which stands whenever something is to be done: a busy machine gets as many looks into a second
    /// as another.
    /// </summary>
    private async Task StepAsync(TimeSpan by, bool isWatched = true)
    {
        for (TimeSpan gone = TimeSpan.Zero; gone < by; gone += TimeSpan.FromMilliseconds(20))
        {
            // Where nobody waits for a look, what could be wrong is that somebody looks: real time for that.
            await (isWatched ? WatcherWaits() : Task.Delay(1));
            await Eventually.True(IsIdle, "what was asked is answered");
            _time.Advance(TimeSpan.FromMilliseconds(20));
        }
    }

    /// <summary>
    /// Whether nothing has been asked of the server that it has not answered, on the node's connection or on one for
    /// statistics.
    /// </summary>
    private bool IsIdle() => _node!.PendingCount == 0 && !_time.IsPausing(ExchangeLimit);
}
