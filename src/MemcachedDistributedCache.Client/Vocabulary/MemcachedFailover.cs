namespace MemcachedDistributedCache;

/// <summary>Who serves the keys of a server that is down.</summary>
public enum MemcachedFailover
{
    /// <summary>No server: its keys are misses until it is back.</summary>
    None,

    /// <summary>
    /// The next server in order that is up, for a short time to live (<c>GutterTimeToLive</c>). The database behind
    /// the cache is spared. The default.
    /// </summary>
    Gutter,
}
