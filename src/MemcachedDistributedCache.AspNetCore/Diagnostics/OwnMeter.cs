using System.Diagnostics.Metrics;

namespace MemcachedDistributedCache.AspNetCore.Diagnostics;

/// <summary>Counters on the meter of the caches: the container's, or one of the process for what is made with <c>new</c>.</summary>
internal static class OwnMeter
{
    private static readonly Lazy<Meter> OfProcess = new(static () => new Meter(Options()));

    /// <summary>A counter, the same one for all who ask for the same. Null where a listener or a disposed factory throws.</summary>
    public static Counter<long>? Counter(IMeterFactory? factory, string name, string unit, string description)
    {
        try
        {
            return (factory?.Create(Options()) ?? OfProcess.Value).CreateCounter<long>(name, unit, description);
        }
        catch (Exception)
        {
            return null;
        }
    }

    /// <summary>Name and version are those of the caches' own meter, so that the factory gives the same one.</summary>
    private static MeterOptions Options()
        => new(MemcachedTelemetry.MeterName) { Version = typeof(MemcachedCache).Assembly.GetName().Version?.ToString(3) };
}
