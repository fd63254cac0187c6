using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace MemcachedDistributedCache.AotSmoke;

/// <summary>Adds up what the caches measure, by metric and by the attributes that tell whose it is.</summary>
internal sealed class MetricCounts : IDisposable
{
    private readonly ConcurrentDictionary<string, double> _sums = new(StringComparer.Ordinal);
    private readonly MeterListener _listener = new();

    public MetricCounts()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == MemcachedTelemetry.MeterName)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    public void Check(string server)
    {
        _listener.RecordObservableInstruments();
        string port = server[(server.LastIndexOf(':') + 1)..];
        AotSmoke.Check.That(_sums.GetValueOrDefault("db.client.operation.duration " + port) > 0, "the duration of requests is measured");
        AotSmoke.Check.That(_sums.GetValueOrDefault("memcached.client.hits " + port) > 0, "hits are counted by server");
        AotSmoke.Check.That(_sums.GetValueOrDefault("memcached.hybrid.factory.duration ") > 0, "runs of factories are measured");
        AotSmoke.Check.That(_sums.GetValueOrDefault("memcached.hybrid.events ") > 0, "events of the hybrid cache are counted");
        AotSmoke.Check.That(_sums.GetValueOrDefault("memcached.client.errors " + port) == 0, "no request failed");
    }

    public void Dispose() => _listener.Dispose();

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string port = "";
        foreach ((string name, object? tag) in tags)
        {
            port = name == "server.port" ? Convert.ToString(tag, CultureInfo.InvariantCulture) ?? "" : port;
        }

        _sums.AddOrUpdate($"{instrument.Name} {port}", value, (_, sum) => sum + value);
    }
}
