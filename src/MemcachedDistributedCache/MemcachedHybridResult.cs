namespace MemcachedDistributedCache;

/// <summary>A value with the word where it came from.</summary>
/// <typeparam name="T">The type of the value.</typeparam>
/// <param name="Value">The value.</param>
/// <param name="Source">Where it came from.</param>
public readonly record struct MemcachedHybridResult<T>(T Value, MemcachedHybridSource Source);

/// <summary>Where a value came from.</summary>
public enum MemcachedHybridSource
{
    /// <summary>From nowhere: there was none, and the caller had forbidden the factory; the value is the type's default.</summary>
    None,

    /// <summary>From the local cache.</summary>
    LocalCache,

    /// <summary>From a memcached server.</summary>
    DistributedCache,

    /// <summary>From either, past its expiration: a new one is being made, or could not be made.</summary>
    Stale,

    /// <summary>From the factory.</summary>
    Factory,
}
