using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Resilience;

public sealed class RetryOutcomeTests
{
    private static readonly NodeCounters Node = new("mc1:11211");
    private static readonly OperationResult Lost = Failed(MemcachedFailureReason.ConnectionLost);
    private static readonly OperationResult Good = OperationResult.Of(ResultStatus.Success);

    private readonly ManualTimeProvider _time = new();
    private int _attempts;

    [Theory]
    [InlineData(MemcachedFailureReason.TimedOut, true)]
    [InlineData(MemcachedFailureReason.ConnectionLost, true)]
    [InlineData(MemcachedFailureReason.Unavailable, true)] // accepted, and not sent
    [InlineData(MemcachedFailureReason.Overloaded, false)]
    [InlineData(MemcachedFailureReason.ServerOutOfMemory, false)]
    [InlineData(MemcachedFailureReason.ServerError, false)]
    public void Only_what_may_pass_is_tried_again(MemcachedFailureReason reason, bool isTransient)
        => Assert.Equal(isTransient, RetryPolicy.IsTransient(Failed(reason)));

    [Fact]
    public void A_refusal_is_tried_again_only_where_the_node_is_not_down()
    {
        Assert.True(RetryPolicy.IsTransient(OperationResult.Failed(new NodeCounters("up", null, static () => null).Unavailable)));
        Assert.False(RetryPolicy.IsTransient(OperationResult.Failed(new NodeCounters("down", null, static () => TimeSpan.Zero).Unavailable)));
        Assert.False(RetryPolicy.IsTransient(OperationResult.Of(ResultStatus.Miss)));
        Assert.False(RetryPolicy.IsTransient(OperationResult.Of(ResultStatus.Canceled)));
    }

    [Fact]
    public async Task The_pause_comes_first_and_then_the_second_attempt()
    {
        Task<OperationResult> again = Again(_ => Good);
        Assert.Equal(0, _attempts);
        _time.Advance(TimeSpan.FromMilliseconds(50));
        Assert.Equal(ResultStatus.Success, (await again.WaitAsync(TimeSpan.FromSeconds(10))).Status);
        Assert.Equal(1, _attempts);
    }

    [Fact]
    public async Task The_number_of_retries_is_the_limit()
    {
        Task<OperationResult> again = Again(static _ => Lost, maximum: 3, total: TimeSpan.FromDays(1));
        await AdvanceUntil(again, TimeSpan.FromMilliseconds(10));
        Assert.Equal(MemcachedFailureReason.ConnectionLost, (await again).Failure!.Reason);
        Assert.Equal(3, _attempts);
    }

    [Fact]
    public async Task No_attempt_begins_that_would_end_after_the_limit()
    {
        // The first attempt took its 0.4 s at most, the second does; a third would end at 1.2 s and more.
        Task<OperationResult> again = Again(
            _ =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(400));
                return Failed(MemcachedFailureReason.TimedOut);
            },
            maximum: 10);
        await AdvanceUntil(again, TimeSpan.FromMilliseconds(10));
        Assert.Equal(1, _attempts);
    }

    [Fact]
    public async Task Cancelling_in_the_pause_tells_what_failed_before()
    {
        using var source = new CancellationTokenSource();
        Task<OperationResult> again = Again(static _ => Good, token: source.Token);
        await source.CancelAsync();
        OperationResult result = await again.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((ResultStatus.Canceled, MemcachedFailureReason.ConnectionLost), (result.Status, result.Failure!.Reason));
        Assert.Equal(0, _attempts);
    }

    [Fact]
    public async Task An_attempt_that_throws_is_no_result_of_its_own()
    {
        Task<OperationResult> again = Again(static _ => throw new InvalidOperationException("the caller's memory is gone"));
        await AdvanceUntil(again, TimeSpan.FromMilliseconds(10));
        Assert.Equal(Lost.Failure, (await again).Failure);
    }

    [Theory]
    [InlineData(true, false, true)] // the first may have happened, whatever came of the second
    [InlineData(false, true, true)]
    [InlineData(false, false, false)]
    public async Task What_any_attempt_sent_is_told_as_sent(bool first, bool second, bool expected)
    {
        Task<OperationResult> again = Policy(1).AgainAsync(
            Failed(MemcachedFailureReason.TimedOut, first),
            _ => ValueTask.FromResult(Failed(MemcachedFailureReason.Unavailable, second)),
            0,
            CallMode.Sync,
            CancellationToken.None).AsTask();
        OperationResult result = await again;
        Assert.Equal((MemcachedFailureReason.Unavailable, expected), (result.Failure!.Reason, result.Failure.WasSent));
    }

    [Fact]
    public void A_synchronous_call_is_complete_on_return_and_needs_no_timer()
    {
        // The clock stands still: a pause that asked it for a timer would not end.
        ValueTask<OperationResult> again = Policy(2).AgainAsync(
            Lost,
            attempt => ValueTask.FromResult(++_attempts == 2 ? Good : Lost),
            0,
            CallMode.Sync,
            CancellationToken.None);
        Assert.True(again.IsCompleted);
        Assert.Equal(ResultStatus.Success, again.GetAwaiter().GetResult().Status);
        Assert.Equal(2, _attempts);
    }

    private static OperationResult Failed(MemcachedFailureReason reason, bool wasSent = false)
        => OperationResult.Failed(new OperationFailure(reason, Node, wasSent));

    private Task AdvanceUntil(Task task, TimeSpan step) => Eventually.True(
        () =>
        {
            if (_time.IsPausing())
            {
                // No faster than the retries can follow.
                _time.Advance(step);
            }

            return task.IsCompleted;
        },
        "it ends");

    private Task<OperationResult> Again(
        Func<int, OperationResult> attempt,
        int maximum = 2,
        TimeSpan? total = null,
        CancellationToken token = default)
        => Policy(maximum, total)
            .AgainAsync(Lost, number => ValueTask.FromResult(attempt(Interlocked.Increment(ref _attempts))), 0, CallMode.Async, token)
            .AsTask();

    private RetryPolicy Policy(int maximum, TimeSpan? total = null)
        => new(
            new RetrySettings
            {
                MaximumRetries = maximum,
                Delay = TimeSpan.FromMilliseconds(10),
                AttemptTimeout = TimeSpan.FromMilliseconds(400),
                TotalTimeout = total ?? TimeSpan.FromSeconds(1),
            },
            _time);
}
