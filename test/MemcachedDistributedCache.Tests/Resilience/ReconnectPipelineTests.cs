using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Testing;
using Polly;

namespace MemcachedDistributedCache.Tests.Resilience;

public sealed class ReconnectPipelineTests
{
    [Fact]
    public async Task ItGoesOnForThousandsOfFailuresAndAlwaysPauses()
    {
        const int Failures = 2500;
        var time = new ImpatientTime();
        ResiliencePipeline pipeline = ReconnectPipeline.Create(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2), time);
        int attempts = 0;
        await pipeline.ExecuteAsync(_ => ++attempts <= Failures ? throw new InvalidOperationException("down") : ValueTask.CompletedTask, CancellationToken.None)
            .AsTask().WaitAsync(TimeSpan.FromSeconds(20));

        // A pause of zero would have asked for no timer.
        Assert.Equal(Failures, time.Pauses.Count);
        Assert.All(time.Pauses, static pause => Assert.InRange(pause, TimeSpan.FromTicks(1), TimeSpan.FromSeconds(2)));
        Assert.InRange(time.Pauses[2000..].Average(static p => p.TotalSeconds), 1, 2);
    }

    [Fact]
    public async Task CancellationEndsThePause()
    {
        var time = new ManualTimeProvider();
        using var source = new CancellationTokenSource();
        Task running = ReconnectPipeline.Create(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), time)
            .ExecuteAsync(static _ => throw new InvalidOperationException("down"), source.Token).AsTask();
        Assert.False(running.IsCompleted);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    /// <summary>Notes how long each timer was to wait, and lets it fire at once.</summary>
    private sealed class ImpatientTime : TimeProvider
    {
        public List<TimeSpan> Pauses { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Pauses.Add(dueTime);
            return System.CreateTimer(callback, state, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }
}
