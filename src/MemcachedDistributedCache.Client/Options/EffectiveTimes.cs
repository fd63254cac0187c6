namespace MemcachedDistributedCache.Options;

/// <summary>Limits that follow from several options.</summary>
internal static class EffectiveTimes
{
    /// <summary>
    /// The limit of one attempt. Two fifths of the whole leave room for one more after one that timed out, and for the pause between.
    /// </summary>
    public static TimeSpan AttemptTimeout(MemcachedClientOptions options)
        => options.MaximumRetries == 0 ? options.OperationTimeout : options.AttemptTimeout ?? options.OperationTimeout * 0.4;
}
