using System.Diagnostics.Metrics;

namespace MemcachedDistributedCache.Telemetry;

/// <summary>A histogram of durations that can be recorded anywhere: whatever a listener throws ends here.</summary>
internal sealed class DurationMetric(Histogram<double> histogram)
{
    /// <summary>Anybody listens; ask before taking the time.</summary>
    public bool IsEnabled => histogram.Enabled;

    /// <summary>Records a duration. Never on a read loop: listeners are other people's code, and may take their time.</summary>
    public void Record(TimeSpan elapsed, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            histogram.Record(elapsed.TotalSeconds, tags);
        }
        catch (Exception)
        {
            // A call does not fail for somebody who watches it.
        }
    }
}
