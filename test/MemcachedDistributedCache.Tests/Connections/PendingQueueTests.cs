using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

[Collection(Alone.Name)]
public sealed class PendingQueueTests
{
    private static readonly OperationResult TimedOut = OperationResult.Failed(
        new OperationFailure(MemcachedFailureReason.TimedOut, new NodeCounters("mc1:11211"), WasSent: true));

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(5000)]
    public void Gives_back_in_order(int count)
    {
        var queue = new PendingQueue();
        for (int round = 0; round < 3; round++)
        {
            PendingOperation[] operations = [.. Enumerable.Range(0, count).Select(_ => Rent(queue))];
            foreach (PendingOperation operation in operations)
            {
                queue.Enqueue_NeedsLock(operation);
            }

            Assert.Equal(count, queue.Count);
            foreach (PendingOperation operation in operations)
            {
                Assert.Same(operation, queue.Dequeue());
                operation.Discard();
            }

            Assert.Null(queue.Dequeue());
            Assert.Equal(0, queue.Count);
        }

        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public void Scan_takes_the_oldest_first_and_stops_at_the_first_that_is_not_due()
    {
        var queue = new PendingQueue();
        PendingOperation[] operations = [.. Enumerable.Range(0, 600).Select(i => Rent(queue, startedAt: i))];
        foreach (PendingOperation operation in operations)
        {
            queue.Enqueue_NeedsLock(operation);
        }

        (int timedOut, int? oldest) = queue.Scan(400 + OperationClock.TicksPerTimeout, TimedOut);
        Assert.Equal((401, 0), (timedOut, oldest));
        Assert.Equal((0, 0), queue.Scan(400 + OperationClock.TicksPerTimeout, TimedOut));
        Assert.Equal(600, queue.Count);
        Assert.All(operations[..401], static o => Assert.True(o.IsClaimed));
        Assert.All(operations[401..], static o => Assert.False(o.IsClaimed));
    }

    [Fact]
    public void Scan_of_an_empty_queue_knows_no_oldest()
        => Assert.Equal((0, null), new PendingQueue().Scan(1000, TimedOut));

    [Fact]
    public void Producer_consumer_and_time_out_scanner_keep_order_and_lose_nothing()
    {
        const int Operations = 200_000;
        var queue = new PendingQueue();
        bool done = false;
        Exception? fault = null;
        var producer = new Thread(Guarded(() =>
        {
            for (uint i = 0; i < Operations; i++)
            {
                PendingOperation operation = Rent(queue, startedAt: (int)i % 50);
                operation.Sequence = i;
                while (queue.Count > 1000)
                {
                    Thread.Yield();
                }

                queue.Enqueue_NeedsLock(operation);
            }
        }));
        var scanner = new Thread(Guarded(() =>
        {
            while (!Volatile.Read(ref done))
            {
                (int timedOut, _) = queue.Scan(40, TimedOut);
                Assert.InRange(timedOut, 0, 3000);
            }
        }));
        producer.Start();
        scanner.Start();
        for (uint i = 0; i < Operations && fault is null;)
        {
            if (queue.Dequeue() is { } operation)
            {
                Assert.Equal(i++, operation.Opaque);
                ValueTask<OperationResult> task = operation.AsValueTask(CancellationToken.None);
                operation.TryComplete(default);
                operation.Release();
                var wait = new SpinWait();
                while (!task.IsCompleted)
                {
                    wait.SpinOnce();
                }

                _ = task.GetAwaiter().GetResult();
            }
            else
            {
                Thread.Yield();
            }
        }

        Volatile.Write(ref done, true);
        producer.Join();
        scanner.Join();
        Assert.Null(fault);
        Assert.Equal(0, queue.Count);

        ThreadStart Guarded(Action action) => () =>
        {
            try
            {
                action();
            }
            catch (Exception exception)
            {
                fault = exception;
            }
        };
    }

    private static PendingOperation Rent(PendingQueue queue, int startedAt = 0)
        => PendingOperation.Rent(queue, OperationKind.Get, ValueTarget.OwnArray, CallMode.Async, startedAt);
}
