using System.Diagnostics;

namespace MemcachedDistributedCache.Soak;

/// <summary>
/// Measures how late this machine runs what is due, by a timer and the thread pool: nothing of the cache can be more in
/// time than that.
/// </summary>
internal sealed class PauseMeter : IDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(10);

    private readonly CancellationTokenSource _stop = new();
    private long _longest;

    public PauseMeter() => _ = Task.Run(MeasureAsync);

    /// <summary>The longest pause so far.</summary>
    public TimeSpan Longest => TimeSpan.FromTicks(Volatile.Read(ref _longest));

    /// <inheritdoc/>
    public void Dispose() => _stop.Cancel();

    private async Task MeasureAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            long started = Stopwatch.GetTimestamp();
            await Task.Delay(Step, CancellationToken.None);
            Volatile.Write(ref _longest, Math.Max(_longest, (Stopwatch.GetElapsedTime(started) - Step).Ticks));
        }
    }
}
