namespace MemcachedDistributedCache.Testing;

/// <summary>Makes clients for tests.</summary>
public static class Clients
{
    /// <summary>A client that waits long, with a namespace that no other test uses.</summary>
    /// <param name="servers">Where.</param>
    /// <param name="configure">Sets other options.</param>
    public static MemcachedClient On(IEnumerable<string> servers, Action<MemcachedClientOptions>? configure = null)
    {
        var options = new MemcachedClientOptions
        {
            Servers = [.. servers],
            Protocol = Caches.Protocol,
            Namespace = Guid.NewGuid().ToString("N") + ":",
            OperationTimeout = TimeSpan.FromSeconds(10),
        };
        configure?.Invoke(options);
        return new MemcachedClient(options);
    }

    /// <summary>Such a client on the servers of a test class.</summary>
    public static MemcachedClient Client(this ThreeNodes nodes, Action<MemcachedClientOptions>? configure = null)
        => On(nodes.Servers.Select(static server => server.Server), configure);
}
