namespace MemcachedDistributedCache.Consistency;

/// <summary>The settings of a cluster that this room needs.</summary>
internal sealed record ConsistencySettings
{
    /// <summary>The clock of I/O.</summary>
    public required TimeProvider TimeProvider { get; init; }

    /// <summary>The limit of a whole operation.</summary>
    public required TimeSpan OperationTimeout { get; init; }

    /// <summary>The pause before a request of this room is made again.</summary>
    public required TimeSpan RetryPause { get; init; }

    /// <summary>How many keys with an uncertain write are remembered.</summary>
    public required int MaximumUncertainKeys { get; init; }
}
