namespace MemcachedDistributedCache.Telemetry;

/// <summary>The meaning of a metric's numbers.</summary>
internal enum MetricKind
{
    /// <summary>It only grows.</summary>
    Counter,

    /// <summary>It grows and shrinks, and can be added up over nodes.</summary>
    Amount,

    /// <summary>It says how things stand, and a sum would mean nothing.</summary>
    Gauge,

    /// <summary>A gauge from 0 to 1.</summary>
    Ratio,
}

/// <summary>A metric that is read when somebody collects, from numbers that are kept anyway: it costs the calls nothing.</summary>
/// <param name="Name">The name, as OpenTelemetry has names.</param>
/// <param name="Kind">What its numbers mean.</param>
/// <param name="Unit">The unit, in UCUM.</param>
/// <param name="Description">What it is, in a sentence.</param>
/// <param name="Read">Reads it from one source. Called on the collector's thread; must neither wait nor throw.</param>
internal sealed record ObservedMetric<TSource>(string Name, MetricKind Kind, string Unit, string Description, Action<TSource, Observations> Read)
    where TSource : class
{
    /// <summary>
    /// Two caches that report it with the same tags speak of the same thing, as of one server; else their numbers are
    /// added.
    /// </summary>
    public bool IsShared { get; init; }
}
