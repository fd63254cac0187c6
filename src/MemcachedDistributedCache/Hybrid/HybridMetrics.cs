using MemcachedDistributedCache.Telemetry;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Publishes what a hybrid cache has counted, until it is disposed.</summary>
internal sealed class HybridMetrics : IDisposable
{
    private static readonly (HybridEvent What, string Name)[] Events =
    [
        .. Enum.GetValues<HybridEvent>().Select(static what => (what, OutcomeNames.Snake(what.ToString()))),
    ];

    private static readonly ObservedMetric<HybridMetrics>[] All =
    [
        new("memcached.hybrid.events", MetricKind.Counter, "{event}", "What the hybrid cache has done, by kind: hits, leases, factory runs, stale values served and more.", static (metrics, to) =>
        {
            foreach ((HybridEvent what, string name) in Events)
            {
                to.Add(metrics._telemetry.Tags.With(AttributeNames.HybridEvent, name), metrics._counters[what]);
            }
        }),
    ];

    private readonly HybridCounters _counters;
    private readonly CacheTelemetry _telemetry;

    public HybridMetrics(HybridCounters counters, CacheTelemetry telemetry)
    {
        _counters = counters;
        _telemetry = telemetry;
        telemetry.Hub.Attach(All, this);
    }

    /// <inheritdoc/>
    public void Dispose() => _telemetry.Hub.Detach(this);
}
