namespace MemcachedDistributedCache.Resilience;

/// <summary>When a node's circuit opens, and how long it stays open.</summary>
internal sealed record BreakerSettings
{
    /// <summary>The share of requests without an answer at which the circuit opens, above 0 and up to 1.</summary>
    public required double FailureRatio { get; init; }

    /// <summary>How many requests there must have been within <see cref="SamplingDuration"/> to judge by, at least 2.</summary>
    public required int MinimumThroughput { get; init; }

    /// <summary>How far back requests count, at least half a second.</summary>
    public required TimeSpan SamplingDuration { get; init; }

    /// <summary>The first pause before a node is tried again; each further one is about twice as long.</summary>
    public required TimeSpan Delay { get; init; }

    /// <summary>The longest pause.</summary>
    public required TimeSpan MaximumDelay { get; init; }
}
