using System.Globalization;
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
        var time = new ManualTimeProvider();
        ResiliencePipeline pipeline = ReconnectPipeline.Create(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2), time);
        var attempts = new List<DateTimeOffset>();
        Task running = pipeline.ExecuteAsync(_ =>
        {
            attempts.Add(time.GetUtcNow());
            return attempts.Count <= Failures ? throw new InvalidOperationException("down") : ValueTask.CompletedTask;
        }, CancellationToken.None).AsTask();
        for (int i = 0; i < Failures * 60 && !running.IsCompleted; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            if (i % 50 == 0)
            {
                await Task.Yield();
            }
        }

        await running.WaitAsync(TimeSpan.FromSeconds(10));
        TimeSpan[] pauses = [.. attempts.Zip(attempts.Skip(1), static (a, b) => b - a)];
        Assert.All(pauses, static pause => Assert.True(pause > TimeSpan.Zero && pause <= TimeSpan.FromSeconds(2.1), pause.ToString("c", CultureInfo.InvariantCulture)));
        TimeSpan late = TimeSpan.FromTicks((long)pauses[2000..].Average(static p => p.Ticks));
        Assert.True(late > TimeSpan.FromSeconds(1), $"after 2000 failures the pause is {late} on average");
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
}
