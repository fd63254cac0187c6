using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Telemetry;

/// <summary>
/// Hands log entries to the thread pool, one at a time and in order. What watches over servers must not wait for a
/// logger, which may write to this very cache, nor end with one that throws. Entries beyond a bound are dropped: a
/// logger that stands still must not take the memory.
/// </summary>
internal sealed class DetachedLogger : ILogger
{
    private const int MaximumWaiting = 1000;

    private readonly ILogger _inner;
    private readonly Channel<Action> _waiting = Channel.CreateBounded<Action>(
        new BoundedChannelOptions(MaximumWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite });

    public DetachedLogger(ILogger inner)
    {
        _inner = inner;

        // Nothing but the channel refers to the task, so it goes when the logger does. Without the context of whoever made the cache.
        ThreadPool.UnsafeQueueUserWorkItem(static self => _ = self.WriteAsync(), this, preferLocal: false);
    }

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return _inner.IsEnabled(logLevel);
        }
        catch (Exception)
        {
            // A logger that cannot even say so gets nothing.
            return false;
        }
    }

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        => _waiting.Writer.TryWrite(() => _inner.Log(logLevel, eventId, state, exception, formatter));

    private async Task WriteAsync()
    {
        await foreach (Action entry in _waiting.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
        {
            try
            {
                entry();
            }
            catch (Exception)
            {
                // There is nobody to tell: this was the logger.
            }
        }
    }
}
