using System.Collections.Concurrent;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>
/// A caller, a read loop, a time-out scanner with stale references and a canceller on threads of their own. Each
/// operation's reply carries the caller's number, so a result that leaks into another life shows.
/// </summary>
[Collection(Alone.Name)]
public sealed class PendingOperationRaceTests
{
    private static readonly PendingQueue Queue = new();
    private const int Rounds = 40_000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Exactly_one_result_reaches_each_caller(bool synchronous)
    {
        CallMode mode = synchronous ? CallMode.Sync : CallMode.Async;
        using var queue = new BlockingCollection<(PendingOperation Operation, uint Number)>(64);
        var recent = new PendingOperation?[32];
        using var stop = new CancellationTokenSource();
        Exception? fault = null;
        int claimed = 0;
        Thread reader = Run(() =>
        {
            foreach ((PendingOperation operation, uint number) in queue.GetConsumingEnumerable())
            {
                if (operation.TryComplete(new OperationResult { Status = ResultStatus.Success, Flags = number }))
                {
                    Interlocked.Increment(ref claimed);
                }

                operation.Release();
            }
        });
        Thread scanner = Run(() =>
        {
            var timedOut = new OperationResult { Status = ResultStatus.Failed, Flags = 0 };
            while (!stop.IsCancellationRequested)
            {
                for (int i = 0; i < recent.Length; i++)
                {
                    if (Volatile.Read(ref recent[i])?.TryExpire(Queue, OperationClock.TicksPerTimeout, timedOut, timingOut: null, out _)
                        == PendingOperation.Expiry.TimedOut)
                    {
                        Interlocked.Increment(ref claimed);
                    }
                }
            }
        });

        var seen = new int[4];
        for (uint number = 1; number <= Rounds && fault is null; number++)
        {
            // Every third cannot expire: its result must be its own.
            bool expires = number % 3 != 0;
            PendingOperation operation = PendingOperation.Rent(Queue, OperationKind.Get, ValueTarget.OwnArray, mode, expires ? 0 : 1);
            Volatile.Write(ref recent[number % recent.Length], operation);
            queue.Add((operation, number));
            using var source = new CancellationTokenSource();
            bool cancels = !synchronous && number % 4 == 0;
            OperationResult result;
            if (synchronous)
            {
                result = operation.Wait(TimeSpan.FromSeconds(20), OperationResult.Of(ResultStatus.Conflict), out _);
            }
            else
            {
                ValueTask<OperationResult> task = operation.AsValueTask(cancels ? source.Token : CancellationToken.None);
                if (cancels)
                {
                    ThreadPool.UnsafeQueueUserWorkItem(Cancel, source, preferLocal: false);
                }

                var wait = new SpinWait();
                while (!task.IsCompleted)
                {
                    wait.SpinOnce();
                }

                result = task.GetAwaiter().GetResult();
            }

            Assert.True(result.Status switch
            {
                ResultStatus.Success => result.Flags == number,
                ResultStatus.Failed => expires,
                ResultStatus.Canceled => cancels,
                _ => false,
            }, $"round {number}: {result.Status} {result.Flags}");
            seen[result.Status switch { ResultStatus.Success => 0, ResultStatus.Failed => 1, ResultStatus.Canceled => 2, _ => 3 }]++;
            if (cancels)
            {
                source.Cancel();
            }
        }

        queue.CompleteAdding();
        reader.Join();
        stop.Cancel();
        scanner.Join();
        Assert.Null(fault);
        Assert.Equal(Rounds, seen.Sum());
        Assert.Equal(seen[0] + seen[1], claimed);
        Assert.True(seen[0] > 0, "no reply ever won");

        static void Cancel(CancellationTokenSource source)
        {
            try
            {
                source.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The reply came first, and the round is over.
            }
        }

        Thread Run(Action action)
        {
            var thread = new Thread(() =>
            {
                try
                {
                    action();
                }
                catch (Exception exception)
                {
                    fault = exception;
                }
            }) { IsBackground = true };
            thread.Start();
            return thread;
        }
    }
}
