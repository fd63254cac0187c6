using MemcachedDistributedCache.Telemetry;

namespace MemcachedDistributedCache;

/// <summary>
/// Under which names the caches of this process can be watched. Nothing is measured before somebody listens; every metric and attribute
/// is described in <c>docs/observability.md</c>.
/// </summary>
public static class MemcachedTelemetry
{
    /// <summary>
    /// The name of the <see cref="System.Diagnostics.Metrics.Meter"/>, for OpenTelemetry's <c>AddMeter</c>. A cache of
    /// the container uses the container's <see cref="System.Diagnostics.Metrics.IMeterFactory"/> if it has one.
    /// </summary>
    public const string MeterName = MetricHub.Name;

    /// <summary>The name of the <see cref="System.Diagnostics.ActivitySource"/>, for OpenTelemetry's <c>AddSource</c>.</summary>
    public const string ActivitySourceName = MetricHub.Name;
}
