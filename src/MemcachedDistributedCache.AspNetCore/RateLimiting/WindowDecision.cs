namespace MemcachedDistributedCache.AspNetCore.RateLimiting;

/// <summary>The outcome of an acquire.</summary>
/// <param name="IsGranted">It has its permits.</param>
/// <param name="RetryAfter">Where it has not: how long until they may be there.</param>
internal readonly record struct WindowDecision(bool IsGranted, TimeSpan RetryAfter)
{
    /// <summary>Granted.</summary>
    public static WindowDecision Granted { get; } = new(true, TimeSpan.Zero);
}
