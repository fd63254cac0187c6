using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace MemcachedDistributedCache.Telemetry;

/// <summary>
/// The instruments of one meter, shared by all caches that use it. An instrument cannot be taken off a meter, so it is made once and asks
/// whatever sources are attached at the moment: a cache that is disposed leaves nothing behind.
/// </summary>
internal sealed class MetricHub
{
    /// <summary>The name of meter and activity source.</summary>
    public const string Name = "MemcachedDistributedCache";

    /// <summary>The version of meter and activity source.</summary>
    public static readonly string Version = typeof(MetricHub).Assembly.GetName().Version?.ToString(3) ?? "";

    private static readonly ConditionalWeakTable<Meter, MetricHub> Hubs = [];
    private static readonly Lazy<MetricHub> OfNoContainer = new(static () => Create(new Meter(Name, Version)));

    private readonly Meter _meter;
    private readonly Lock _lock = new();
    private readonly Dictionary<Type, object> _groups = [];

    private MetricHub(Meter meter)
    {
        _meter = meter;
        OperationDuration = CreateDuration(
            "db.client.operation.duration",
            "How long a request to a server took, from the call to the result.",

            // The conventions' own bounds and finer ones below: most answers of a memcached take less than their first.
            [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10]);
    }

    /// <summary>How long requests took. This and <see cref="Duration"/> are recorded call by call.</summary>
    public DurationMetric OperationDuration { get; }

    /// <summary>A hub to which nobody can listen.</summary>
    public static MetricHub Silent { get; } = CreateSilent();

    /// <summary>The hub of a container's meter, or of the process where there is no container.</summary>
    public static MetricHub Of(IMeterFactory? factory)
    {
        try
        {
            return factory is null
                ? OfNoContainer.Value
                : Hubs.GetValue(factory.Create(new MeterOptions(Name) { Version = Version }), Create);
        }
        catch (Exception)
        {
            // A listener that throws when it hears of an instrument, or a factory that is disposed: a cache works without metrics too.
            return Silent;
        }
    }

    /// <summary>Makes a histogram of seconds, or gives the one that was made before under this name.</summary>
    public DurationMetric Duration(string name, string description, double[] bounds)
    {
        try
        {
            return CreateDuration(name, description, bounds);
        }
        catch (Exception)
        {
            // A listener that throws when it hears of it: it will not see this instrument.
            return Silent.CreateDuration(name, description, bounds);
        }
    }

    /// <summary>Publishes metrics of one more source. Detach it when it ends.</summary>
    public void Attach<TSource>(IReadOnlyList<ObservedMetric<TSource>> metrics, TSource source)
        where TSource : class
    {
        Group<TSource> group;
        bool isNew;
        lock (_lock)
        {
            isNew = !_groups.TryGetValue(typeof(TSource), out object? known);
            group = isNew ? new Group<TSource>() : (Group<TSource>)known!;
            _groups[typeof(TSource)] = group;
            group.Sources = [.. group.Sources, source];
        }

        // Outside the lock: whoever listens to the meter hears of each instrument here, in code of its own.
        foreach (ObservedMetric<TSource> metric in isNew ? metrics : [])
        {
            try
            {
                Publish(metric, group);
            }
            catch (Exception)
            {
                // That listener will not see this instrument; the cache and the other instruments go on.
            }
        }
    }

    /// <summary>Ends what <see cref="Attach"/> began.</summary>
    public void Detach<TSource>(TSource source)
        where TSource : class
    {
        lock (_lock)
        {
            if (_groups.TryGetValue(typeof(TSource), out object? known) && known is Group<TSource> group)
            {
                group.Sources = [.. group.Sources.Where(other => other != source)];
            }
        }
    }

    private static MetricHub Create(Meter meter) => new(meter);

    private DurationMetric CreateDuration(string name, string description, double[] bounds)
        => new(_meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds }));

    private static MetricHub CreateSilent()
    {
        var disposed = new Meter(Name, Version);
        disposed.Dispose();
        return new MetricHub(disposed);
    }

    private void Publish<TSource>(ObservedMetric<TSource> metric, Group<TSource> group)
        where TSource : class
    {
        switch (metric.Kind)
        {
            case MetricKind.Counter:
                _meter.CreateObservableCounter(metric.Name, () => group.Observe(metric).Whole(), metric.Unit, metric.Description);
                break;
            case MetricKind.Amount:
                _meter.CreateObservableUpDownCounter(metric.Name, () => group.Observe(metric).Whole(), metric.Unit, metric.Description);
                break;
            case MetricKind.Ratio:
                _meter.CreateObservableGauge(metric.Name, () => group.Observe(metric).Fractions(), metric.Unit, metric.Description);
                break;
            default:
                _meter.CreateObservableGauge(metric.Name, () => group.Observe(metric).Whole(), metric.Unit, metric.Description);
                break;
        }
    }

    private sealed class Group<TSource>
        where TSource : class
    {
        /// <summary>Swapped whole, so that a collection needs no lock.</summary>
        public volatile TSource[] Sources = [];

        public Observations Observe(ObservedMetric<TSource> metric)
        {
            var observations = new Observations(metric.IsShared);
            foreach (TSource source in Sources)
            {
                metric.Read(source, observations);
            }

            return observations;
        }
    }
}
