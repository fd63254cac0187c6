using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>The timer of all deadlines, which rests while nothing is awaited. A tick is 62.5 ms.</summary>
public sealed class TimeoutScannerTests : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(62.5);
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();

    public void Dispose() => _log.Dispose();

    [Fact]
    public void It_rests_when_nothing_has_been_awaited_for_a_limit_and_looks_once_a_second()
    {
        int looks = 0;
        bool isQuiet = false;
        var clock = new OperationClock(_time, TimeSpan.FromSeconds(1));
        using var scanner = new TimeoutScanner(_time, clock, () => looks++, () => isQuiet);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal((160, 160, false), (looks, clock.Now, clock.IsSuspended));
        isQuiet = true;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((176, 176, true), (looks, clock.Now, clock.IsSuspended));
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal((236, 176, true), (looks, clock.Now, clock.IsSuspended));

        isQuiet = false;
        clock.EnsureRunning();
        Assert.False(clock.IsSuspended);
        Assert.Equal(TimeSpan.Zero, clock.Since(clock.Now - OperationClock.TicksPerTimeout));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((252, 192, false), (looks, clock.Now, clock.IsSuspended));
        Assert.Equal(TimeSpan.FromSeconds(1), clock.Since(176));
    }

    [Fact]
    public void What_is_soon_over_keeps_it_awake_for_a_limit_more()
    {
        var clock = new OperationClock(_time, TimeSpan.FromSeconds(1));
        using var scanner = new TimeoutScanner(_time, clock, static () => { }, static () => true);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.True(clock.IsSuspended);
        clock.EnsureRunning();
        _time.Advance(15 * Tick);
        Assert.False(clock.IsSuspended);
        _time.Advance(Tick);
        Assert.True(clock.IsSuspended);
    }

    [Fact]
    public void What_nobody_has_said_ends_the_rest_at_the_next_look()
    {
        bool isQuiet = true;
        var clock = new OperationClock(_time, TimeSpan.FromSeconds(1));
        using var scanner = new TimeoutScanner(_time, clock, static () => { }, () => isQuiet);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(clock.IsSuspended);
        isQuiet = false;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(clock.IsSuspended);
        int then = clock.Now;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(16, clock.Now - then);
    }

    [Fact]
    public void With_ticks_as_long_as_a_rest_it_needs_none()
    {
        int looks = 0;
        var clock = new OperationClock(_time, TimeSpan.FromSeconds(16));
        using var scanner = new TimeoutScanner(_time, clock, () => looks++, static () => true);
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal((60, false), (looks, clock.IsSuspended));
    }

    [Fact]
    public async Task Nobody_who_awaits_something_finds_it_at_rest()
    {
        const int Rounds = 4000;
        var clock = new OperationClock(_time, TimeSpan.FromSeconds(1));
        int awaited = 0;
        using var scanner = new TimeoutScanner(_time, clock, static () => { }, () => Volatile.Read(ref awaited) == 0);
        int turn = 0;
        Task waiting = Task.Factory.StartNew(
            () =>
            {
                for (int round = 0; round < Rounds; round++)
                {
                    Until((4 * round) + 1);
                    Thread.SpinWait(round % 32);
                    awaited = 1;
                    clock.EnsureRunning();
                    Interlocked.Increment(ref turn);
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        int caught = 0;
        for (int round = 0; round < Rounds; round++)
        {
            _time.Advance(15 * Tick);

            // The next look is the one after which it rests; meanwhile somebody begins to wait.
            Interlocked.Increment(ref turn);
            _time.Advance(Tick);
            Interlocked.Increment(ref turn);
            Until((4 * round) + 3);
            caught += clock.IsSuspended ? 1 : 0;
            clock.EnsureRunning();
            _time.Advance(Tick);
            Volatile.Write(ref awaited, 0);
            Interlocked.Increment(ref turn);
        }

        await waiting;
        Assert.Equal(0, caught);

        void Until(int which)
        {
            // Without the kernel's help, so that both go on at nearly the same moment.
            var spin = default(SpinWait);
            long start = TimeProvider.System.GetTimestamp();
            while (Volatile.Read(ref turn) < which)
            {
                spin.SpinOnce(sleep1Threshold: -1);
                Assert.True(TimeProvider.System.GetElapsedTime(start) < Eventually.Limit, "the other has ended");
            }
        }
    }

    [Fact]
    public async Task What_is_asked_during_a_rest_is_timed_out_by_its_limit()
    {
        var factory = new FakeFactory();
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        await Eventually.True(() => cluster.Nodes[0].State == MemcachedNodeState.Up, "the node is up");
        _time.Advance(TimeSpan.FromMinutes(1));
        ValueTask<OperationResult> reading = new ClusterClient(cluster).GetAsync("key"u8, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None);
        await Eventually.True(() => factory.Opened[0].Sent.Length != 0, "it is sent");
        _time.Advance(14 * Tick);
        Assert.False(reading.IsCompleted);
        _time.Advance(2 * Tick);
        OperationResult result = await reading.AsTask().WaitAsync(Eventually.Limit);
        Assert.Equal(MemcachedFailureReason.TimedOut, result.Failure?.Reason);
        Assert.InRange(result.Failure!.Took ?? TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromSeconds(1.1));
    }

    [Fact]
    public async Task A_connection_that_nobody_uses_ends_during_a_rest()
    {
        var factory = new FakeFactory();
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log, idle: TimeSpan.FromSeconds(30));
        await Eventually.True(() => cluster.Nodes[0].State == MemcachedNodeState.Up, "the node is up");
        _time.Advance(TimeSpan.FromSeconds(29));
        Assert.False(factory.Opened[0].IsDisposed);
        _time.Advance(TimeSpan.FromSeconds(3));
        await Eventually.True(() => factory.Opened[0].IsDisposed, "it is ended");
        await Eventually.True(() => cluster.Nodes[0].Counters.Ends(ConnectionEndReason.Idle) == 1, "it counts as one that was idle");
    }

    [Fact]
    public async Task A_connection_that_is_opened_during_a_rest_has_the_limit_that_it_always_has()
    {
        long begun = 0;
        long ended = 0;
        var factory = new FakeFactory(async (attempt, cancellationToken) =>
        {
            if (attempt > 2)
            {
                // The recovery's, which may come before the clock has been moved all the way.
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            }

            if (attempt == 2)
            {
                Volatile.Write(ref begun, _time.GetTimestamp());
                try
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
                }
                finally
                {
                    Volatile.Write(ref ended, _time.GetTimestamp());
                }
            }

            return new FakeTransport();
        });
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log, connect: TimeSpan.FromSeconds(0.25));
        await Eventually.True(() => cluster.Nodes[0].State == MemcachedNodeState.Up, "the node is up");
        _time.Advance(TimeSpan.FromMinutes(1) + Tick);
        factory.Opened[0].Close();
        await Eventually.True(() => Volatile.Read(ref begun) != 0, "another is opened in its place");
        _time.Advance(6 * Tick);
        await Eventually.True(() => Volatile.Read(ref ended) != 0, "it is given up");
        Assert.InRange(_time.GetElapsedTime(begun, ended), 4 * Tick, 6 * Tick);
    }
}
