using System.Diagnostics.Metrics;

namespace MemcachedDistributedCache.Telemetry;

/// <summary>
/// The numbers that one collection of one metric reads from all sources. Two caches of one process on the same server have the same tags, and a
/// collector would keep the last number only: here they become one.
/// </summary>
internal sealed class Observations(bool isShared)
{
    private readonly Dictionary<string, (MetricTags Tags, double Value)> _all = new(StringComparer.Ordinal);

    /// <summary>Notes a number.</summary>
    public void Add(MetricTags tags, double value)
    {
        bool known = _all.TryGetValue(tags.Identity, out (MetricTags Tags, double Value) before);
        _all[tags.Identity] = (tags, !known ? value : isShared ? before.Value : before.Value + value);
    }

    /// <summary>The noted numbers, whole ones.</summary>
    public IEnumerable<Measurement<long>> Whole() => _all.Values.Select(static one => new Measurement<long>((long)one.Value, one.Tags.All));

    /// <summary>The noted numbers.</summary>
    public IEnumerable<Measurement<double>> Fractions() => _all.Values.Select(static one => new Measurement<double>(one.Value, one.Tags.All));
}

/// <summary>The tags of a measurement, made once.</summary>
internal sealed class MetricTags
{
    private readonly KeyValuePair<string, object?>[] _all;

    public MetricTags(params KeyValuePair<string, object?>[] all)
    {
        _all = all;
        Identity = string.Join('\n', all.Select(static tag => $"{tag.Key}={tag.Value}"));
    }

    /// <summary>The tags.</summary>
    public ReadOnlySpan<KeyValuePair<string, object?>> All => _all;

    /// <summary>The tags as a collection, for an activity.</summary>
    public IReadOnlyList<KeyValuePair<string, object?>> List => _all;

    /// <summary>Equal for equal tags.</summary>
    public string Identity { get; }

    /// <summary>These and one more.</summary>
    public MetricTags With(string name, object value) => new([.. _all, new(name, value)]);
}
