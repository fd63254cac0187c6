using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Tests.Consistency;

/// <summary>How long what failed is uncertain. The limit of an operation is a second, and twice that is the grace.</summary>
public sealed class InvalidationReplayTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();
    private int _removals;
    private int _probes;
    private volatile bool _isSilent;
    private volatile bool _holdsRemovals;
    private volatile string? _refusal;

    private const string Classic = "VERSION 1.4.15\r\nEND\r\nERROR\r\n";

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task A_write_that_may_still_happen_is_uncertain_for_two_limits_of_an_operation_not_of_an_attempt()
    {
        using ServerCluster cluster = ClusterRig.Start(Factory(), _time, _log, attemptLimit: TimeSpan.FromSeconds(0.4));
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        node.Consistency.Record("key"u8, mayOvertakeRemoval: true);
        await Eventually.True(() => Volatile.Read(ref _removals) == 1, "it is removed for the first time");
        DateTimeOffset removed = _time.GetUtcNow();
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return node.Consistency.Writes.IsEmpty;
            },
            "it is readable again");
        Assert.Equal(2, Volatile.Read(ref _removals));
        Assert.True(_time.GetUtcNow() - removed >= TimeSpan.FromSeconds(2), $"read after {_time.GetUtcNow() - removed}");
    }

    [Fact]
    public async Task A_write_that_fails_while_all_is_uncertain_has_a_grace_of_its_own()
    {
        using ServerCluster cluster = ClusterRig.Start(Factory(), _time, _log, maximumUncertain: 1);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        node.Consistency.Record("first"u8, mayOvertakeRemoval: true);
        node.Consistency.Record("second"u8, mayOvertakeRemoval: true);
        Assert.True(node.Consistency.Writes.AreAllUncertain);

        // In steps: a removal pass that began with the first key alone is followed by another after a pause.
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(20));
                return node.Consistency.Writes.Count == 0;
            },
            "it begins to remember anew");
        await StepAsync(TimeSpan.FromSeconds(1.5));
        Assert.True(node.Consistency.Writes.AreAllUncertain);
        Assert.Equal(0, Volatile.Read(ref _probes));
        node.Consistency.Record("third"u8, mayOvertakeRemoval: true);
        DateTimeOffset failed = _time.GetUtcNow();
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return !node.Consistency.Writes.AreAllUncertain;
            },
            "what it holds is told from what it is given");
        Assert.True(node.Consistency.Writes.Contains("third"u8), "it may come after the probe, and would be read");
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return node.Consistency.Writes.IsEmpty;
            },
            "it is readable again");
        Assert.True(_time.GetUtcNow() - failed >= TimeSpan.FromSeconds(2), $"read after {_time.GetUtcNow() - failed}");

        // The first key once, before it was forgotten: other processes know nothing of the fence. The third twice.
        Assert.Equal((3, 1), (Volatile.Read(ref _removals), Volatile.Read(ref _probes)));
    }

    /// <summary>A removal that went behind the retry would take away what the retry has stored.</summary>
    [Fact]
    public async Task A_key_that_a_retry_may_settle_is_removed_only_when_none_can_come()
    {
        using ServerCluster cluster = ClusterRig.Start(Factory(), _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        node.Consistency.Record("settled"u8, mayOvertakeRemoval: false, settledBy: 5);
        node.Consistency.Settle("settled"u8, node.Consistency.Writes.LastVersion, 5);
        Assert.True(node.Consistency.Writes.IsEmpty);
        node.Consistency.Record("given-up"u8, mayOvertakeRemoval: false, settledBy: 5);
        DateTimeOffset recorded = _time.GetUtcNow();
        await StepAsync(TimeSpan.FromSeconds(0.8));
        Assert.Equal(0, Volatile.Read(ref _removals));
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return node.Consistency.Writes.IsEmpty;
            },
            "the other is removed");
        Assert.Equal(1, Volatile.Read(ref _removals));
        Assert.True(_time.GetUtcNow() - recorded >= TimeSpan.FromSeconds(1), $"removed after {_time.GetUtcNow() - recorded}");
    }

    /// <summary>Other processes know nothing of the fence, and would read what nobody removes.</summary>
    [Fact]
    public async Task What_is_recorded_during_a_removal_is_removed_before_it_is_forgotten()
    {
        _holdsRemovals = true;
        FakeFactory factory = Factory();
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log, maximumUncertain: 2);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        node.Consistency.Record("first"u8, mayOvertakeRemoval: true);
        await Eventually.True(() => Volatile.Read(ref _removals) == 1, "the first is being removed");
        node.Consistency.Record("second"u8, mayOvertakeRemoval: true);
        node.Consistency.Record("third"u8, mayOvertakeRemoval: true);
        Assert.True(node.Consistency.Writes.IsFull);
        _holdsRemovals = false;
        string removal = factory.Opened[0].Sent.Split("\r\n").Last(static line => line.StartsWith("md ", StringComparison.Ordinal));
        factory.Opened[0].Reply($"HD {ClusterRig.TokenOf(removal)}\r\n");
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return !node.Consistency.Writes.IsFull;
            },
            "the keys are forgotten");
        Assert.Contains("md second ", factory.Opened[0].Sent, StringComparison.Ordinal);
    }

    /// <summary>
    /// It may have stood still, with the writes from before unread in its sockets: the grace that has passed meanwhile
    /// was none.
    /// </summary>
    [Fact]
    public async Task A_server_that_does_not_tell_its_number_has_a_whole_grace_again()
    {
        _isSilent = true;
        using ServerCluster cluster = ClusterRig.Start(Factory(), _time, _log, maximumUncertain: 1);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        node.Consistency.Record("first"u8, mayOvertakeRemoval: true);
        node.Consistency.Record("second"u8, mayOvertakeRemoval: true);
        await Until(() => Volatile.Read(ref _probes) == 1, "its number is asked for");
        await Until(() => node.Counters.Timeouts == 1, "there is no answer");
        DateTimeOffset answersAgain = _time.GetUtcNow();
        _isSilent = false;
        await Until(() => !node.Consistency.Writes.AreAllUncertain, "it is read again");
        Assert.True(_time.GetUtcNow() - answersAgain >= TimeSpan.FromSeconds(2), $"read after {_time.GetUtcNow() - answersAgain}");

        Task Until(Func<bool> condition, string what) => Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(50));
                return condition();
            },
            what);
    }

    [Theory]
    [InlineData(FakeTransport.Modern, "CLIENT_ERROR bad command line format")]
    [InlineData(FakeTransport.Modern, "SERVER_ERROR backend failure")]
    [InlineData(Classic, "CLIENT_ERROR bad command line format")]
    [InlineData(Classic, "SERVER_ERROR Connection refused")]
    [InlineData(Classic, "ERROR")]
    public async Task A_removal_that_the_server_refuses_is_tried_at_growing_pauses_on_the_same_connection(string handshake, string refusal)
    {
        _refusal = refusal;
        FakeFactory factory = Factory(handshake);
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        node.Consistency.Record("key"u8, mayOvertakeRemoval: false);
        node.Consistency.Record("other"u8, mayOvertakeRemoval: false);
        for (int i = 0; i < 150; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(200));
            await Task.Delay(1);
        }

        // In thirty seconds some nine times each, and not at every pause of the replay; and the end of the cache waits for neither.
        Assert.InRange(Volatile.Read(ref _removals), 8, 24);
        Assert.True(node.Consistency.Writes.Contains("key"u8));
        Assert.False(node.Consistency.HasUndelivered);
        Assert.Equal((1, MemcachedNodeState.Up), (factory.Attempts, node.State));
        Assert.Contains(refusal, Assert.Single(_log.Texts(LogLevel.Warning)), StringComparison.Ordinal);

        _refusal = null;
        DateTimeOffset takes = _time.GetUtcNow();
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(200));
                return node.Consistency.Writes.IsEmpty;
            },
            "it is readable again");
        Assert.True(_time.GetUtcNow() - takes <= TimeSpan.FromSeconds(20), $"read after {_time.GetUtcNow() - takes}");
        Assert.Equal(1, factory.Attempts);
    }

    [Fact]
    public async Task A_key_that_cannot_be_removed_does_not_hold_all_others_back_for_ever()
    {
        _refusal = "CLIENT_ERROR bad command line format";
        using ServerCluster cluster = ClusterRig.Start(Factory(), _time, _log, maximumUncertain: 1);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        node.Consistency.Record("key"u8, mayOvertakeRemoval: false);
        node.Consistency.Record("other"u8, mayOvertakeRemoval: false);
        Assert.True(node.Consistency.Writes.AreAllUncertain);
        DateTimeOffset refused = _time.GetUtcNow();
        await Eventually.True(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(500));
                return !node.Consistency.Writes.AreAllUncertain;
            },
            "the fence tells what is old");
        Assert.True(_time.GetUtcNow() - refused >= TimeSpan.FromMinutes(1), $"after {_time.GetUtcNow() - refused}");
    }

    /// <summary>A server that removes what it is told to, or refuses, and counts.</summary>
    private FakeFactory Factory(string handshake = FakeTransport.Modern)
        => new((Func<int, FakeTransport>)(_ => new FakeTransport { Handshake = handshake, Answer = Answer }));

    private string? Answer(string sent)
    {
        var replies = new System.Text.StringBuilder();
        foreach (string line in sent.Split("\r\n", StringSplitOptions.RemoveEmptyEntries))
        {
            replies.Append(line.Split(' ')[0] switch
            {
                "md" when _holdsRemovals => "",
                "md" or "delete" when _refusal is { } refusal => refusal + "\r\n",
                "delete" => "DELETED\r\n",
                "version" => "VERSION 1.4.15\r\n",
                "md" => $"HD {ClusterRig.TokenOf(line)}\r\n",
                "ms" when _isSilent => "",
                "ms" => $"HD c{100 + Volatile.Read(ref _probes)} {ClusterRig.TokenOf(line)}\r\n",
                "mn" => "MN\r\n",
                _ => "",
            });
            Interlocked.Add(ref _removals, line.StartsWith("md ", StringComparison.Ordinal) || line.StartsWith("delete ", StringComparison.Ordinal) ? 1 : 0);
            Interlocked.Add(ref _probes, line.StartsWith("ms ", StringComparison.Ordinal) ? 1 : 0);
        }

        return replies.ToString();
    }

    private async Task StepAsync(TimeSpan by)
    {
        for (TimeSpan gone = TimeSpan.Zero; gone < by; gone += TimeSpan.FromMilliseconds(50))
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(1);
        }
    }
}
