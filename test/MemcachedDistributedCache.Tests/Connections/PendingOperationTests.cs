using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

[Collection(Alone.Name)]
public sealed class PendingOperationTests
{
    private static readonly PendingQueue Queue = new();
    private static readonly OperationResult TimedOut = OperationResult.Failed(
        new OperationFailure(MemcachedFailureReason.TimedOut, new NodeCounters("mc1:11211"), WasSent: true));

    [Fact]
    public void The_first_result_wins()
    {
        PendingOperation operation = Rent();
        ValueTask<OperationResult> task = operation.AsValueTask(CancellationToken.None);
        Assert.True(operation.TryComplete(OperationResult.Of(ResultStatus.Miss)));
        Assert.False(operation.TryComplete(OperationResult.Of(ResultStatus.Success)));
        Assert.Equal(PendingOperation.Expiry.AlreadyClaimed, operation.TryExpire(Queue, 1000, TimedOut, timingOut: null, out _));
        operation.Release();
        Assert.Equal(ResultStatus.Miss, task.GetAwaiter().GetResult().Status);
    }

    [Theory]
    [InlineData(100, 100, false)]
    [InlineData(100, 115, false)]
    [InlineData(100, 116, true)]
    [InlineData(int.MaxValue, int.MinValue, false)]
    [InlineData(int.MaxValue, int.MinValue + 14, false)]
    [InlineData(int.MaxValue, int.MinValue + 15, true)]
    public void Expires_after_its_ticks_even_when_they_wrap_around(int startedAt, int now, bool expires)
    {
        PendingOperation operation = Rent(startedAt: startedAt);
        ValueTask<OperationResult> task = operation.AsValueTask(CancellationToken.None);
        Assert.Equal(
            expires ? PendingOperation.Expiry.TimedOut : PendingOperation.Expiry.NotDue,
            operation.TryExpire(Queue, now, TimedOut, timingOut: null, out int seen));
        Assert.Equal(startedAt, seen);
        Assert.Equal(expires, task.IsCompleted);
        operation.TryComplete(default);
        operation.Release();
        _ = task.GetAwaiter().GetResult();
    }

    [Fact]
    public void A_cancelled_token_ends_it_at_once()
    {
        PendingOperation operation = Rent();
        ValueTask<OperationResult> task = operation.AsValueTask(new CancellationToken(canceled: true));
        Assert.Equal(ResultStatus.Canceled, task.GetAwaiter().GetResult().Status);
        Assert.True(operation.IsClaimed);
        operation.Release();
    }

    [Fact]
    public void A_discarded_operation_serves_again()
    {
        PendingOperation operation = Rent();
        operation.Discard();
        PendingOperation again = Rent();
        Assert.Same(operation, again);
        Assert.False(again.IsClaimed);
        ValueTask<OperationResult> task = again.AsValueTask(CancellationToken.None);
        Assert.False(task.IsCompleted);
        again.TryComplete(OperationResult.Of(ResultStatus.Conflict));
        again.Release();
        Assert.Equal(ResultStatus.Conflict, task.GetAwaiter().GetResult().Status);
    }

    [Fact]
    public void A_result_cannot_be_taken_twice()
    {
        PendingOperation operation = Rent();
        ValueTask<OperationResult> task = operation.AsValueTask(CancellationToken.None);
        operation.TryComplete(default);
        operation.Release();
        _ = task.GetAwaiter().GetResult();
        Assert.Throws<InvalidOperationException>(() => task.GetAwaiter().GetResult());
        ValueTask<OperationResult> next = Rent().AsValueTask(CancellationToken.None);
        Assert.Throws<InvalidOperationException>(() => task.GetAwaiter().GetResult());
        Assert.False(next.IsCompleted);
    }

    [Fact]
    public void A_reply_after_the_caller_left_does_not_reach_the_next_life()
    {
        PendingOperation operation = Rent();
        ValueTask<OperationResult> task = operation.AsValueTask(CancellationToken.None);
        Assert.Equal(PendingOperation.Expiry.TimedOut, operation.TryExpire(Queue, 1000, TimedOut, timingOut: null, out _));
        Assert.Equal(ResultStatus.Failed, task.GetAwaiter().GetResult().Status);

        // The slot in the queue still holds it, so it is not in the pool.
        PendingOperation other = Rent();
        Assert.NotSame(operation, other);
        Assert.False(operation.TryComplete(OperationResult.Of(ResultStatus.Success)));
        operation.Release();
        PendingOperation next = Rent();
        Assert.Same(operation, next);
        Assert.False(next.IsClaimed);
        next.Discard();
        other.Discard();
    }

    [Fact]
    public void A_synchronous_caller_gets_the_result_that_came_before()
    {
        PendingOperation operation = Rent(CallMode.Sync);
        operation.TryComplete(OperationResult.Of(ResultStatus.Miss));
        operation.Release();
        Assert.Equal(ResultStatus.Miss, operation.Wait(TimeSpan.FromSeconds(30), TimedOut, out _).Status);
    }

    [Fact]
    public async Task A_synchronous_caller_is_woken_by_the_result()
    {
        PendingOperation operation = Rent(CallMode.Sync);
        Task<OperationResult> waiting = Task.Factory.StartNew(() => operation.Wait(TimeSpan.FromSeconds(30), TimedOut, out _), TaskCreationOptions.LongRunning);
        operation.TryComplete(OperationResult.Of(ResultStatus.Conflict));
        operation.Release();
        Assert.Equal(ResultStatus.Conflict, (await waiting.WaitAsync(TimeSpan.FromSeconds(20))).Status);
    }

    [Fact]
    public void A_synchronous_caller_times_out_by_itself()
    {
        PendingOperation operation = Rent(CallMode.Sync);
        Assert.Equal(MemcachedFailureReason.TimedOut, operation.Wait(TimeSpan.FromMilliseconds(5), TimedOut, out _).Failure!.Reason);
        Assert.False(operation.TryComplete(default));
        operation.Release();
    }

    private static PendingOperation Rent(CallMode mode = CallMode.Async, int startedAt = 0)
        => PendingOperation.Rent(Queue, OperationKind.Get, ValueTarget.OwnArray, mode, startedAt);
}
