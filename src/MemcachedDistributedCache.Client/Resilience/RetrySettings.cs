namespace MemcachedDistributedCache.Resilience;

/// <summary>How often and for how long an operation is repeated.</summary>
internal sealed record RetrySettings
{
    /// <summary>How many times after the first, at least 1.</summary>
    public required int MaximumRetries { get; init; }

    /// <summary>The first pause; each further one is about twice as long.</summary>
    public required TimeSpan Delay { get; init; }

    /// <summary>How long one attempt may take.</summary>
    public required TimeSpan AttemptTimeout { get; init; }

    /// <summary>How long all attempts and pauses may take together.</summary>
    public required TimeSpan TotalTimeout { get; init; }
}
