using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

public sealed class ConnectionTimeTests
{
    [Fact]
    public async Task An_operation_times_out_within_its_limit_and_the_connection_lives()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> late = rig.Execute(OperationKind.Get);
        Assert.Equal(0, rig.Pass(rig.Limit * 14 / 16));
        Assert.Equal(1, rig.Pass(rig.Limit * 2 / 16));
        OperationFailure failure = (await late.WaitAsync(Eventually.Limit)).Failure!;
        Assert.Equal((MemcachedFailureReason.TimedOut, true), (failure.Reason, failure.WasSent));
        Task<OperationResult> next = rig.Execute(OperationKind.Get);
        rig.Transport.Reply("VA 4 f0 t1 O1\r\nlate\r\nVA 4 f0 t1 O2\r\nnext\r\n");
        Assert.Equal("next"u8.ToArray(), (await next.WaitAsync(Eventually.Limit)).Value);
        Assert.Empty(rig.Ends);
    }

    [Theory]
    [InlineData("VA 0 f0 t9 c7 W O1\r\n\r\n", true)]
    [InlineData("HD f0 t9 c7 W O1\r\n", true)]
    [InlineData("VA 0 f0 t9 c7 Z O1\r\n\r\n", false)]
    [InlineData("VA 3 f0 t9 c7 O1\r\nold\r\n", false)]
    [InlineData("VA 0 f0 t9 c0 W O1\r\n\r\n", false)]
    public async Task A_lease_that_is_won_too_late_is_given_back(string reply, bool isGivenBack)
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Assert.True(
            rig.Connection.TryExecute(
                new LeaseRequest(WireKey.Of("key"u8), 10, withValue: true, ownFlags: 0),
                ValueTarget.OwnArray,
                CancellationToken.None,
                out ValueTask<OperationResult> late));
        Assert.Equal(1, rig.Pass(rig.Limit));
        Assert.Equal(MemcachedFailureReason.TimedOut, (await late).Failure!.Reason);
        rig.Transport.Reply(reply);
        if (isGivenBack)
        {
            await Eventually.True(() => rig.Transport.Sent.Contains("md key C7 O2", StringComparison.Ordinal), "it is given back");
        }

        Task<OperationResult> next = rig.Execute(OperationKind.Get);
        rig.Transport.Reply(isGivenBack ? "HD O2\r\nEN O3\r\n" : "EN O2\r\n");

        // Replies are read in their order: when this one has been, the late one has been dealt with.
        Assert.Equal(ResultStatus.Miss, (await next.WaitAsync(Eventually.Limit)).Status);
        Assert.Equal(isGivenBack, rig.Transport.Sent.Contains("md key", StringComparison.Ordinal));
        Assert.Empty(rig.Ends);
    }

    [Fact]
    public async Task A_lease_that_is_lost_with_its_connection_leaves_its_key_certain()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Assert.True(
            rig.Connection.TryExecute(
                new LeaseRequest(WireKey.Of("key"u8), 10, withValue: true, ownFlags: 0),
                ValueTarget.OwnArray,
                CancellationToken.None,
                out ValueTask<OperationResult> lost));
        await Eventually.True(() => rig.Transport.Sent.Contains("mg key", StringComparison.Ordinal), "it is sent");
        rig.Transport.Close();
        Assert.Equal(MemcachedFailureReason.ConnectionLost, (await lost.AsTask().WaitAsync(Eventually.Limit)).Failure!.Reason);
        Assert.Empty(rig.Lost);
    }

    [Fact]
    public async Task An_operation_whose_value_stops_half_way_times_out()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> read = rig.Execute(OperationKind.Get);
        rig.Transport.Reply("VA 100 f0 t1 O1\r\nhalf of it");
        await Eventually.True(() => rig.Transport.IsReadUp, "half of the value is read");
        rig.Pass(rig.Limit * 3);
        Assert.True(await Task.WhenAny(read, Task.Delay(Eventually.Limit)) == read, "an operation whose value stopped half way never ends");
        Assert.Equal(ResultStatus.Failed, (await read).Status);
    }

    [Fact]
    public async Task A_connection_that_is_silent_in_the_middle_of_a_value_is_given_up()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        _ = rig.Execute(OperationKind.Get);
        rig.Transport.Reply("VA 100 f0 t1 O1\r\nhalf of it");
        await Eventually.True(() => rig.Transport.IsReadUp, "half of the value is read");
        rig.Pass(rig.Limit * 10);
        Assert.False(rig.Connection.IsUsable, "a connection that is stuck inside a value is kept for ever");
    }

    [Fact]
    public async Task A_silent_server_is_given_up()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> get = rig.Execute(OperationKind.Get);
        rig.Pass(rig.Limit * 3);
        await rig.Connection.Finished.WaitAsync(Eventually.Limit);
        Assert.Equal(ConnectionEndReason.Stalled, Assert.Single(rig.Ends).Reason);
        Assert.Equal(MemcachedFailureReason.TimedOut, (await get.WaitAsync(Eventually.Limit)).Failure!.Reason);
    }

    [Fact]
    public async Task Timed_out_operations_are_not_counted_again_when_the_connection_ends()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        _ = rig.Execute(OperationKind.Get);
        int timedOut = rig.Pass(rig.Limit * 3);
        rig.Counters.AddTimeouts(timedOut);
        await rig.Connection.Finished.WaitAsync(Eventually.Limit);
        Assert.Equal((1L, 1L), (rig.Counters.Timeouts, rig.Counters.Errors));
    }

    [Fact]
    public async Task An_idle_connection_is_closed_and_a_used_one_is_not()
    {
        using ConnectionRig rig = await new ConnectionRig(idle: TimeSpan.FromSeconds(10)).Opened();
        uint opaque = 0;
        rig.Transport.Answer = _ => $"EN O{++opaque}\r\n";
        for (int i = 0; i < 5; i++)
        {
            rig.Pass(TimeSpan.FromSeconds(6));
            Assert.True(rig.Connection.IsUsable);
            await rig.Execute(OperationKind.Get).WaitAsync(Eventually.Limit);
        }

        rig.Pass(TimeSpan.FromSeconds(11));
        await rig.Connection.Finished.WaitAsync(Eventually.Limit);
        Assert.Equal(ConnectionEndReason.Idle, Assert.Single(rig.Ends).Reason);
        Assert.False(rig.Connection.TryExecute(new KeyRequest(OperationKind.Get, WireKey.Of("key"u8)), ValueTarget.OwnArray, CancellationToken.None, out _));
    }

    [Fact]
    public async Task An_unlimited_idle_connection_stays()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        rig.Pass(TimeSpan.FromHours(1));
        Assert.True(rig.Connection.IsUsable);
    }

    [Fact]
    public async Task A_scan_that_comes_late_does_not_time_out_what_just_began()
    {
        // The pool was busy for two seconds; an operation of a millisecond ago has nearly its whole limit left.
        using ConnectionRig rig = await new ConnectionRig().Opened();
        rig.Time.Advance(TimeSpan.FromSeconds(2));
        _ = rig.Execute(OperationKind.Get);
        rig.Time.Advance(TimeSpan.FromMilliseconds(1));
        rig.Clock.Advance();
        int timedOut = 0;
        long answered = 0;
        rig.Connection.Scan(ref timedOut, ref answered);
        Assert.True(timedOut == 0, "an operation was timed out a millisecond after it began");
    }

    [Fact]
    public async Task A_clock_that_lags_tells_how_long_it_really_took()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> get = rig.Execute(OperationKind.Get);
        int timedOut = 0;
        long answered = 0;
        for (int late = 0; timedOut == 0; late++)
        {
            // Each look comes six ticks late, and counts for two.
            Assert.True(late < 100, "it never times out");
            rig.Time.Advance(6 * rig.Clock.Interval);
            rig.Clock.Advance();
            rig.Connection.Scan(ref timedOut, ref answered);
        }

        TimeSpan? took = (await get.WaitAsync(Eventually.Limit)).Failure!.Took;
        Assert.InRange(took ?? default, 2.5 * rig.Limit, 3.5 * rig.Limit);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(16)]
    [InlineData(1000)]
    public void The_clock_goes_on_for_years(int limitMilliseconds)
    {
        var time = new ManualTimeProvider();
        var clock = new OperationClock(time, TimeSpan.FromMilliseconds(limitMilliseconds));
        for (int days = 0; days < 3650; days += 20)
        {
            int before = clock.Now;
            for (int tick = 0; tick < 2 * OperationClock.TicksPerTimeout; tick++)
            {
                time.Advance(clock.Interval);
                clock.Advance();
            }

            Assert.True(unchecked(clock.Now - before) >= OperationClock.TicksPerTimeout, $"the clock stands still after {days} days");
            time.Advance(TimeSpan.FromDays(20));
            clock.Advance();
        }
    }
}
