using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Telemetry;

/// <summary>
/// Hands log entries to the thread pool, one at a time and in order. What watches over servers must not wait for a logger, which may write to
/// this very cache, nor end with one that throws.
/// </summary>
internal sealed class DetachedLogger(ILogger inner) : ILogger, IThreadPoolWorkItem
{
    /// <summary>Entries beyond this are dropped: a logger that stands still must not take the memory.</summary>
    private const int MaximumWaiting = 1000;

    private readonly ConcurrentQueue<Action> _waiting = new();
    private int _count;

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return inner.IsEnabled(logLevel);
        }
        catch (Exception)
        {
            // A logger that cannot even say so gets nothing.
            return false;
        }
    }

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        int count = Interlocked.Increment(ref _count);
        if (count > MaximumWaiting)
        {
            Interlocked.Decrement(ref _count);
            return;
        }

        _waiting.Enqueue(() => inner.Log(logLevel, eventId, state, exception, formatter));
        if (count == 1)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute()
    {
        // Whoever raises the count from 0 starts this, and it ends when it has brought the count back there.
        do
        {
            var spin = default(SpinWait);
            Action? entry;
            while (!_waiting.TryDequeue(out entry))
            {
                spin.SpinOnce(); // counted, and about to be enqueued
            }

            try
            {
                entry();
            }
            catch (Exception)
            {
                // There is nobody to tell: this was the logger.
            }
        }
        while (Interlocked.Decrement(ref _count) > 0);
    }
}
