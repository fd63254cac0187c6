using System.Threading.RateLimiting;
using MemcachedDistributedCache.AspNetCore.RateLimiting;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.AspNetCore.Tests.RateLimiting;

public sealed class RateLimiterTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly FakeCounters _counters = new();
    private readonly RecordingLogger _log = new();

    [Fact]
    public async Task Two_processes_share_a_fixed_window_and_one_that_knows_it_is_full_asks_no_more()
    {
        using MemcachedRateLimiter one = On(Limiters.Fixed(3));
        using MemcachedRateLimiter other = On(Limiters.Fixed(3));
        Assert.True((await one.AcquireAsync()).IsAcquired);
        Assert.True(other.AttemptAcquire().IsAcquired);
        Assert.True((await one.AcquireAsync()).IsAcquired);
        _time.Advance(TimeSpan.FromSeconds(4));
        RateLimitLease refused = await one.AcquireAsync();
        Assert.Equal((false, TimeSpan.FromSeconds(6)), (refused.IsAcquired, RetryAfter(refused)));
        Assert.True(refused.TryGetMetadata(MetadataName.ReasonPhrase, out string? reason) && reason is { Length: > 0 });
        Assert.Equal([MetadataName.RetryAfter.Name, MetadataName.ReasonPhrase.Name], refused.MetadataNames);

        // The third permit told that there is no fourth.
        Assert.Equal(3, _counters.Asked);
        Assert.False(other.AttemptAcquire().IsAcquired);
        Assert.False(other.AttemptAcquire().IsAcquired);
        Assert.Equal(4, _counters.Asked);
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.True((await one.AcquireAsync()).IsAcquired);
    }

    [Fact]
    public async Task More_permits_than_are_left_are_refused_and_what_is_left_is_not_lost()
    {
        using MemcachedRateLimiter limiter = On(Limiters.Fixed(10));
        Assert.True((await limiter.AcquireAsync(8)).IsAcquired);
        Assert.False((await limiter.AcquireAsync(5)).IsAcquired);
        Assert.True((await limiter.AcquireAsync(2)).IsAcquired);
        Assert.False((await limiter.AcquireAsync(1)).IsAcquired);
    }

    [Fact]
    public async Task Permits_taken_at_once_are_handed_out_without_asking_and_end_with_their_window()
    {
        using MemcachedRateLimiter one = On(Limiters.Fixed(10, configure: static options => options.PermitsAtATime = 4));
        using MemcachedRateLimiter other = On(Limiters.Fixed(10, configure: static options => options.PermitsAtATime = 4));
        for (int i = 0; i < 4; i++)
        {
            Assert.True((await one.AcquireAsync()).IsAcquired);
        }

        Assert.Equal(1, _counters.Asked);
        Assert.True((await other.AcquireAsync()).IsAcquired);
        Assert.True((await one.AcquireAsync()).IsAcquired);

        // The last batch has two permits only.
        Assert.True(one.AttemptAcquire().IsAcquired);
        Assert.False(one.AttemptAcquire().IsAcquired);
        Assert.Equal(3, _counters.Asked);
        Assert.True(other.AttemptAcquire(3).IsAcquired);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.True(one.AttemptAcquire().IsAcquired);
        Assert.Equal(4, _counters.Asked);
    }

    [Fact]
    public async Task Only_one_call_at_a_time_takes_a_batch()
    {
        using MemcachedRateLimiter limiter = On(Limiters.Fixed(100, configure: static options => options.PermitsAtATime = 10));
        var gate = new TaskCompletionSource();
        _counters.Gate = gate.Task;
        Task<RateLimitLease>[] calls = [.. Enumerable.Range(0, 5).Select(_ => limiter.AcquireAsync().AsTask())];
        gate.SetResult();
        Assert.All(await Task.WhenAll(calls), static lease => Assert.True(lease.IsAcquired));
        Assert.Equal(14UL, _counters[Segment(TimeSpan.FromSeconds(10))]);
    }

    [Fact]
    public async Task A_sliding_window_gives_permits_back_as_segments_leave_it()
    {
        using MemcachedRateLimiter one = On(Limiters.Sliding(10, 5));
        using MemcachedRateLimiter other = On(Limiters.Sliding(10, 5));
        Assert.True((await one.AcquireAsync(4)).IsAcquired);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True((await other.AcquireAsync(5)).IsAcquired);
        RateLimitLease refused = await one.AcquireAsync(2);
        Assert.Equal((false, TimeSpan.FromSeconds(4)), (refused.IsAcquired, RetryAfter(refused)));
        Assert.True((await one.AcquireAsync(1)).IsAcquired);

        // What was refused is not counted in the windows to come.
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(TimeSpan.FromSeconds(1), RetryAfter(await one.AcquireAsync(5)));
        Assert.True((await one.AcquireAsync(4)).IsAcquired);
        Assert.False((await other.AcquireAsync(1)).IsAcquired);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True((await other.AcquireAsync(6)).IsAcquired);
        Assert.False((await one.AcquireAsync(1)).IsAcquired);
    }

    [Fact]
    public async Task An_answer_that_comes_windows_late_counts_in_the_present_one()
    {
        using MemcachedRateLimiter limiter = On(Limiters.Sliding(10, 3));
        Assert.True((await limiter.AcquireAsync(8)).IsAcquired);
        _time.Advance(TimeSpan.FromSeconds(1));
        long late = Segment(TimeSpan.FromSeconds(1));
        var gate = new TaskCompletionSource();
        _counters.Gate = gate.Task;
        Task<RateLimitLease> call = limiter.AcquireAsync(5).AsTask();
        _counters.Gate = Task.CompletedTask;
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.True((await limiter.AcquireAsync(3)).IsAcquired);
        gate.SetResult();
        Assert.True((await call).IsAcquired);
        Assert.Equal((0UL, 8UL), (_counters[late], _counters[Segment(TimeSpan.FromSeconds(1))]));
    }

    [Fact]
    public async Task A_segment_that_a_faster_clock_has_closed_is_left_for_the_next()
    {
        var ahead = new ManualTimeProvider(_time.GetUtcNow().AddMilliseconds(400));
        using MemcachedRateLimiter slow = On(Limiters.Sliding(10, 5));
        using MemcachedRateLimiter fast = Limiters.On(_counters, Limiters.Sliding(10, 5), ahead, _log);
        _time.Advance(TimeSpan.FromMilliseconds(700));
        ahead.Advance(TimeSpan.FromMilliseconds(700));
        Assert.True((await fast.AcquireAsync(6)).IsAcquired);
        Assert.True((await slow.AcquireAsync(4)).IsAcquired);
        Assert.False((await fast.AcquireAsync()).IsAcquired);
        Assert.False((await slow.AcquireAsync()).IsAcquired);
        Assert.Empty(_log.Ids);
    }

    [Fact]
    public async Task A_clock_that_is_more_than_a_window_behind_is_told_and_judged_as_an_outage()
    {
        var ahead = new ManualTimeProvider(_time.GetUtcNow());
        using MemcachedRateLimiter fast = Limiters.On(_counters, Limiters.Sliding(10, 2), ahead, _log);
        for (int i = 0; i < 12; i++)
        {
            ahead.Advance(TimeSpan.FromSeconds(1));
            await fast.AcquireAsync();
        }

        using MemcachedRateLimiter slow = On(Limiters.Sliding(10, 2, static options => options.OnOutage = MemcachedRateLimiterOutage.Refuse));
        Assert.False((await slow.AcquireAsync()).IsAcquired);
        Assert.Equal([4101, 4100], _log.Ids);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task In_an_outage_a_process_limits_itself(bool isSliding)
    {
        using MemcachedRateLimiter limiter = On(isSliding ? Limiters.Sliding(3, 10) : Limiters.Fixed(3));
        Assert.True((await limiter.AcquireAsync()).IsAcquired);
        _counters.Failure = "Unavailable";
        Assert.True((await limiter.AcquireAsync()).IsAcquired);
        Assert.True(limiter.AttemptAcquire().IsAcquired);
        RateLimitLease refused = await limiter.AcquireAsync();
        Assert.Equal((false, TimeSpan.FromSeconds(10)), (refused.IsAcquired, RetryAfter(refused)));
        Assert.Equal([4100], _log.Ids);
        Assert.Contains("Unavailable", _log.Of(4100)[0], StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.True((await limiter.AcquireAsync(3)).IsAcquired);
    }

    [Fact]
    public async Task In_an_outage_nothing_is_granted_where_the_options_say_so()
    {
        using MemcachedRateLimiter limiter = On(Limiters.Fixed(3, configure: static options => options.OnOutage = MemcachedRateLimiterOutage.Refuse));
        _counters.Failure = "Unknown";
        _counters.LosesAnswers = true;
        _counters.RetryAfter = TimeSpan.FromSeconds(2);
        RateLimitLease refused = await limiter.AcquireAsync();
        Assert.Equal((false, TimeSpan.FromSeconds(2)), (refused.IsAcquired, RetryAfter(refused)));
        Assert.False(limiter.AttemptAcquire().IsAcquired);

        // Two permits were taken all the same, for all that is known.
        _counters.Failure = null;
        Assert.True((await limiter.AcquireAsync()).IsAcquired);
        Assert.False((await limiter.AcquireAsync()).IsAcquired);
    }

    [Fact]
    public async Task No_permits_ask_whether_there_are_any()
    {
        using MemcachedRateLimiter limiter = On(Limiters.Fixed(1));
        Assert.True((await limiter.AcquireAsync(0)).IsAcquired);
        Assert.True((await limiter.AcquireAsync(1)).IsAcquired);
        Assert.False((await limiter.AcquireAsync(0)).IsAcquired);
        Assert.False(limiter.AttemptAcquire(0).IsAcquired);
        Assert.Equal(1UL, _counters[Segment(TimeSpan.FromSeconds(10))]);
    }

    [Fact]
    public async Task An_attempt_that_may_not_block_grants_what_the_process_holds()
    {
        using MemcachedRateLimiter limiter = On(Limiters.Fixed(10, configure: static options =>
        {
            options.BlockingAttempts = false;
            options.PermitsAtATime = 2;
        }));
        RateLimitLease refused = limiter.AttemptAcquire();
        Assert.False(refused.IsAcquired);
        Assert.False(refused.TryGetMetadata(MetadataName.RetryAfter, out _));
        Assert.Equal(0, _counters.Asked);
        Assert.True((await limiter.AcquireAsync()).IsAcquired);
        Assert.True(limiter.AttemptAcquire().IsAcquired);
        Assert.Equal(1, _counters.Asked);
    }

    [Fact]
    public async Task Statistics_tell_what_this_process_knows()
    {
        using MemcachedRateLimiter limiter = On(Limiters.Fixed(3));
        Assert.Equal(3, limiter.GetStatistics()!.CurrentAvailablePermits);
        await limiter.AcquireAsync(2);
        await limiter.AcquireAsync(2);
        RateLimiterStatistics statistics = limiter.GetStatistics()!;
        Assert.Equal(
            (1, 1, 1, 0),
            (statistics.CurrentAvailablePermits, statistics.TotalSuccessfulLeases, statistics.TotalFailedLeases, statistics.CurrentQueuedCount));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(3, limiter.GetStatistics()!.CurrentAvailablePermits);
    }

    [Fact]
    public async Task It_is_idle_while_nobody_asks()
    {
        using MemcachedRateLimiter limiter = On(Limiters.Fixed(3));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromSeconds(5), limiter.IdleDuration);
        var gate = new TaskCompletionSource();
        _counters.Gate = gate.Task;
        ValueTask<RateLimitLease> call = limiter.AcquireAsync();
        Assert.Null(limiter.IdleDuration);
        gate.SetResult();
        await call;
        Assert.Equal(TimeSpan.Zero, limiter.IdleDuration);
    }

    [Fact]
    public async Task A_cancelled_acquire_throws_and_leaves_the_limiter_well()
    {
        using MemcachedRateLimiter limiter = On(Limiters.Fixed(10, configure: static options => options.PermitsAtATime = 2));
        using var cancellation = new CancellationTokenSource();
        _counters.Gate = new TaskCompletionSource().Task;
        ValueTask<RateLimitLease> call = limiter.AcquireAsync(cancellationToken: cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await call);
        Assert.NotNull(limiter.IdleDuration);
        _counters.Gate = Task.CompletedTask;
        await limiter.AcquireAsync();
        await limiter.AcquireAsync();
        Assert.Equal(2, _counters.Asked);
    }

    [Fact]
    public async Task A_wrong_count_and_a_disposed_limiter_are_told()
    {
        MemcachedRateLimiter limiter = On(Limiters.Fixed(3));
        Assert.Throws<ArgumentOutOfRangeException>("permitCount", () => limiter.AttemptAcquire(4));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>("permitCount", async () => await limiter.AcquireAsync(4));
        await limiter.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => limiter.AttemptAcquire());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await limiter.AcquireAsync());
    }

    private MemcachedRateLimiter On(RateLimiterSettings settings) => Limiters.On(_counters, settings, _time, _log);

    private long Segment(TimeSpan length) => _time.GetUtcNow().UtcTicks / length.Ticks;

    private static TimeSpan? RetryAfter(RateLimitLease lease) => lease.TryGetMetadata(MetadataName.RetryAfter, out TimeSpan after) ? after : null;
}
