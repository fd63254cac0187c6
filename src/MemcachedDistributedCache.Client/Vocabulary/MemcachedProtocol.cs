namespace MemcachedDistributedCache;

/// <summary>The commands that a client sends to its servers.</summary>
public enum MemcachedProtocol
{
    /// <summary>
    /// Meta commands where the server answers them and is memcached 1.6.10 or newer, otherwise classic ones. Each
    /// connection asks its server when it is opened. The default.
    /// </summary>
    Auto,

    /// <summary>Meta commands (<c>mg</c>, <c>ms</c>, <c>md</c>). A server that does not speak them cannot be used.</summary>
    Meta,

    /// <summary>
    /// Classic commands (<c>gets</c>, <c>set</c>, <c>add</c>, <c>cas</c>, <c>delete</c>, <c>touch</c>), which
    /// memcached 1.4.15 and newer and most proxies speak. For a proxy that closes the connection when it is asked
    /// something that it does not know. The server is not asked for its item size, and refuses larger values itself.
    /// </summary>
    Classic,
}
