using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;

namespace MemcachedDistributedCache.Tests.Connections;

public sealed class BackgroundLoopTests
{
    [Fact]
    public async Task A_step_that_throws_is_made_again()
    {
        using var stop = new CancellationTokenSource();
        int steps = 0;
        var loop = new BackgroundLoop(
            () => Volatile.Read(ref steps) < 2,
            () => Interlocked.Increment(ref steps) == 1 ? throw new InvalidOperationException("no thread to be had") : Task.CompletedTask,
            stop.Token);
        loop.Wake();
        await Eventually.True(() => Volatile.Read(ref steps) == 2 && !loop.IsRunning, "the second step is made, and the loop ends");
    }

    [Fact]
    public async Task A_wake_up_while_the_loop_ends_is_not_lost()
    {
        using var stop = new CancellationTokenSource();
        int wanted = 0;
        int done = 0;
        var loop = new BackgroundLoop(
            () => Volatile.Read(ref done) < Volatile.Read(ref wanted),
            () =>
            {
                Interlocked.Increment(ref done);
                return Task.CompletedTask;
            },
            stop.Token);
        for (int i = 1; i <= 10_000; i++)
        {
            Volatile.Write(ref wanted, i);
            loop.Wake();
        }

        await Eventually.True(() => Volatile.Read(ref done) == 10_000, "all work is done");
    }
}
