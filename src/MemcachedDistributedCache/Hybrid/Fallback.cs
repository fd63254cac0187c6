namespace MemcachedDistributedCache.Hybrid;

/// <summary>A value past its expiration that is served in place of the factory's.</summary>
internal sealed record Fallback<T>(CachedEntry Entry, T Value);
