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

    /// <summary>
    /// Behind the node stand several servers, which act in whatever order, and whose numbers say nothing of each other:
    /// no fence is found, and only a removal makes up for a write.
    /// </summary>
    public bool IsShared { get; init; }

    /// <summary>How many keys with an uncertain write are remembered.</summary>
    public required int MaximumUncertainKeys { get; init; }
}
