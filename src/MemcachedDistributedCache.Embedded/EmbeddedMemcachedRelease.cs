namespace MemcachedDistributedCache.Embedded;

/// <summary>The release of memcached that an embedded server says it is, and whose meta commands it has.</summary>
public enum EmbeddedMemcachedRelease
{
    /// <summary>memcached 1.6.18, which all replies imitate. The default.</summary>
    Release1618,

    /// <summary>
    /// memcached 1.6.9. A store by a meta command (<c>ms</c>) as newer releases have it is refused, and its data read as the next
    /// command; the other meta commands answer as those of 1.6.18.
    /// </summary>
    Release169,

    /// <summary>
    /// memcached 1.5.22. Meta commands as newer releases have them are refused, and the data of a store read as the
    /// next command.
    /// </summary>
    Release1522,
}
