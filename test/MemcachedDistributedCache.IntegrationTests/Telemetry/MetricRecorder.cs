using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace MemcachedDistributedCache.IntegrationTests.Telemetry;

/// <summary>Listens to one meter: keeps what is recorded, and collects what can be observed.</summary>
internal sealed class MetricRecorder : IMeterFactory
{
    private readonly ConcurrentQueue<Point> _recorded = new();
    private readonly MeterListener _listener = new();
    private readonly HashSet<string> _published = [];
    private readonly Lock _lock = new();
    private Meter? _meter;

    /// <param name="only">The instruments to listen to; none means all.</param>
    public MetricRecorder(params string[] only)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter, _meter))
            {
                lock (_lock)
                {
                    _published.Add(instrument.Name);
                }

                if (only.Length == 0 || only.Contains(instrument.Name))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>One number with its tags, these as <c>name=value</c> in the order of their names.</summary>
    internal sealed record Point(string Metric, double Value, string Tags);

    /// <summary>Runs with every number that is recorded or observed.</summary>
    public Action? Also { get; set; }

    /// <summary>The names of all instruments.</summary>
    public IReadOnlyCollection<string> Published
    {
        get
        {
            lock (_lock)
            {
                return [.. _published];
            }
        }
    }

    /// <summary>All numbers of a metric: those that were recorded, or those of a collection that is made now.</summary>
    public IReadOnlyList<Point> Points(string metric)
    {
        if (metric.EndsWith(".duration", StringComparison.Ordinal))
        {
            return [.. _recorded.Where(point => point.Metric == metric)];
        }

        _recorded.Clear();
        _listener.RecordObservableInstruments();
        return [.. _recorded.Where(point => point.Metric == metric)];
    }

    /// <summary>The sum of a metric's numbers whose tags hold all of these.</summary>
    public double Sum(string metric, params string[] tags)
        => Points(metric).Where(point => Array.TrueForAll(tags, tag => point.Tags.Split(' ').Contains(tag))).Sum(point => point.Value);

    /// <summary>How many durations were recorded with all of these tags.</summary>
    public int Durations(params string[] tags)
        => Points("db.client.operation.duration").Count(point => Array.TrueForAll(tags, tag => point.Tags.Split(' ').Contains(tag)));

    public Meter Create(MeterOptions options) => _meter ??= new Meter(options);

    public void Dispose()
    {
        _listener.Dispose();
        _meter?.Dispose();
    }

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        _recorded.Enqueue(
            new Point(
                instrument.Name,
                value,
                string.Join(' ', tags.ToArray().OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => $"{tag.Key}={tag.Value}"))));
        Also?.Invoke();
    }
}
