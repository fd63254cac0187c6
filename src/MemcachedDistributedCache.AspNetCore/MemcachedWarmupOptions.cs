namespace MemcachedDistributedCache.AspNetCore;

/// <summary>The options of a warm-up. They are read when it is registered.</summary>
public sealed class MemcachedWarmupOptions
{
    private const int MostParallelism = 1000;

    /// <summary>How many items are filled at a time, 1 to 1 000. Default: 8.</summary>
    public int MaximumParallelism { get; set; } = 8;

    /// <summary>
    /// How many items may fail, 0 or more. With one more the warm-up is given up, and the readiness check stays as it is while the warm-up
    /// runs, so that an orchestrator sends no requests here. The application runs on in any case. Default: null, any number, and
    /// failures keep nobody from being ready.
    /// </summary>
    public int? MaximumFailures { get; set; }

    internal IEnumerable<string> Validate()
    {
        if (MaximumParallelism is < 1 or > MostParallelism)
        {
            yield return $"{nameof(MemcachedWarmupOptions)}.{nameof(MaximumParallelism)} is {MaximumParallelism}: "
                + $"set it to a whole number from 1 to {MostParallelism}, such as 8.";
        }

        if (MaximumFailures < 0)
        {
            yield return $"{nameof(MemcachedWarmupOptions)}.{nameof(MaximumFailures)} is {MaximumFailures}: "
                + "set it to 0 or more, or to null for any number.";
        }
    }
}
