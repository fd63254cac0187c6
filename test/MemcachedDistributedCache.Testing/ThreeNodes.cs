namespace MemcachedDistributedCache.Testing;

/// <summary>Three real memcached processes for the tests of one class, which may not stop them.</summary>
public sealed class ThreeNodes : Xunit.IAsyncLifetime
{
    private readonly List<MemcachedProcess> _servers = [];

    /// <summary>The processes.</summary>
    public IReadOnlyList<MemcachedProcess> Servers => _servers;

    /// <inheritdoc/>
    public async Task InitializeAsync()
    {
        if (MemcachedBinary.SkipReason is null)
        {
            for (int i = 0; i < 3; i++)
            {
                _servers.Add(await MemcachedProcess.StartAsync("-I", "2m", "-m", "256"));
            }
        }
    }

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        foreach (MemcachedProcess server in _servers)
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>A cache on all three, with a namespace that no other test uses.</summary>
    public MemcachedCache Cache(Action<MemcachedCacheOptions>? configure = null)
        => Caches.On(_servers.Select(server => server.Server), configure);
}
