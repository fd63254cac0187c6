using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Resilience;

public sealed class RetryPolicyTests
{
    private readonly NodeCounters _counters = new("mc1:11211");
    private readonly LeapingTime _time = new();

    [Fact]
    public async Task Pauses_end_within_the_limit_however_many_there_are()
    {
        for (int i = 0; i < 100; i++)
        {
            RetryPolicy policy = Policy(retries: 10, delay: 50, attempt: 100);
            (int attempts, TimeSpan last) = await RunAsync(policy, CallMode.Async);
            Assert.True(attempts >= 3, $"only {attempts} attempts in a second");
            Assert.True(
                last <= TimeSpan.FromMilliseconds(900),
                $"the last attempt began after {last.TotalMilliseconds} ms, and may take 100 more of the 1000 there are");
        }
    }

    [Fact]
    public async Task A_long_attempt_that_broke_early_leaves_time_for_another()
    {
        RetryPolicy policy = Policy(retries: 2, delay: 10, attempt: 600);
        (int attempts, TimeSpan last) = await RunAsync(policy, CallMode.Async);
        Assert.True(attempts >= 1, "nothing was tried again, with nearly a second left");
        Assert.True(last <= TimeSpan.FromMilliseconds(400), $"the last attempt began after {last.TotalMilliseconds} ms");
    }

    [Fact]
    public async Task An_attempt_that_took_its_whole_time_leaves_none_for_another()
    {
        RetryPolicy policy = Policy(retries: 2, delay: 10, attempt: 600);
        (int attempts, _) = await RunAsync(policy, CallMode.Async, OperationResult.Failed(_counters.TimedOut));
        Assert.Equal(0, attempts);
    }

    [Fact]
    public async Task A_blocked_callers_pauses_grow_too()
    {
        RetryPolicy policy = Policy(retries: 4, delay: 20, attempt: 10, TimeProvider.System);
        long started = TimeProvider.System.GetTimestamp();
        await RunAsync(policy, CallMode.Sync);

        // 20, 40, 80 and 160 ms, each at least by half; four of the first were 120 at most.
        Assert.True(
            TimeProvider.System.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(140),
            $"{TimeProvider.System.GetElapsedTime(started).TotalMilliseconds} ms");
    }

    /// <summary>How many further attempts there were, and how long after the beginning the last of them began.</summary>
    private async Task<(int Attempts, TimeSpan Last)> RunAsync(RetryPolicy policy, CallMode mode, OperationResult? first = null)
    {
        OperationResult lost = OperationResult.Failed(_counters.Unavailable);
        long started = _time.GetTimestamp();
        int attempts = 0;
        TimeSpan last = TimeSpan.Zero;
        ValueTask<OperationResult> running = policy.AgainAsync(
            first ?? lost,
            _ =>
            {
                attempts++;
                last = _time.GetElapsedTime(started);
                return ValueTask.FromResult(lost);
            },
            0,
            mode,
            CancellationToken.None);
        Assert.True(mode == CallMode.Async || running.IsCompleted, "a synchronous call is complete when it returns");
        Assert.Equal(ResultStatus.Failed, (await running).Status);
        return (attempts, last);
    }

    private RetryPolicy Policy(int retries, int delay, int attempt, TimeProvider? time = null) => new(
        new RetrySettings
        {
            MaximumRetries = retries,
            Delay = TimeSpan.FromMilliseconds(delay),
            AttemptTimeout = TimeSpan.FromMilliseconds(attempt),
            TotalTimeout = TimeSpan.FromSeconds(1),
        },
        time ?? _time);

    /// <summary>A clock that jumps to the end of every pause.</summary>
    private sealed class LeapingTime : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Volatile.Read(ref _now);

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(GetTimestamp());

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime >= TimeSpan.Zero)
            {
                Interlocked.Add(ref _now, dueTime.Ticks);
                ThreadPool.UnsafeQueueUserWorkItem(_ => callback(state), null);
            }

            return new Idle();
        }

        private sealed class Idle : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
