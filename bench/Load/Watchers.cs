using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Load;

/// <summary>Who looks on while a cache works.</summary>
internal enum Watched
{
    /// <summary>Nobody.</summary>
    No,

    /// <summary>A listener to all of its metrics.</summary>
    Measured,

    /// <summary>A logger that takes everything.</summary>
    Logged,
}

/// <summary>
/// Listens to every metric: counts what is recorded, and collects what can be observed once a second. What an exporter
/// makes of a number costs extra, by its own code.
/// </summary>
internal sealed class MetricsListener : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Timer _collector;
    private long _count;

    public MetricsListener()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == MemcachedTelemetry.MeterName)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<double>(Take);
        _listener.SetMeasurementEventCallback<long>(static (_, _, _, _) => { });
        _listener.Start();
        _collector = new Timer(
            static state => ((MeterListener)state!).RecordObservableInstruments(),
            _listener,
            TimeSpan.FromSeconds(1),
            TimeSpan.FromSeconds(1));
    }

    /// <summary>How many durations were recorded.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <inheritdoc/>
    public void Dispose()
    {
        _collector.Dispose();
        _listener.Dispose();
        if (Count == 0)
        {
            throw new InvalidOperationException("Nothing was measured: the metrics are not those of the cache.");
        }
    }

    private void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
        => Interlocked.Add(ref _count, value >= 0 && !tags.IsEmpty ? 1 : 0);
}

/// <summary>A logger to which every level is enabled and that formats what it is given.</summary>
internal sealed class NoteTaker : ILoggerFactory, ILogger
{
    private long _length;

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => this;

    /// <inheritdoc/>
    public void AddProvider(ILoggerProvider provider)
    {
    }

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => true;

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        => Interlocked.Add(ref _length, formatter(state, exception).Length);

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
