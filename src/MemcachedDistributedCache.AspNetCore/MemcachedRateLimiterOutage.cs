namespace MemcachedDistributedCache.AspNetCore;

/// <summary>The behaviour of a rate limiter while memcached does not tell how many permits are taken.</summary>
public enum MemcachedRateLimiterOutage
{
    /// <summary>
    /// Each process limits itself: it grants up to the limit in each window by its own count. So all processes together may grant the
    /// limit as many times as there are processes.
    /// </summary>
    Allow,

    /// <summary>Nothing is granted.</summary>
    Refuse,
}
