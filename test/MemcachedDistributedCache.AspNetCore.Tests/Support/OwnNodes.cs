using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.AspNetCore.Tests.Support;

/// <summary>Three real memcached processes for the tests of one class, which may not stop them.</summary>
public sealed class OwnNodes : IAsyncLifetime
{
    private readonly List<MemcachedProcess> _servers = [];

    /// <summary>The processes as a connection string.</summary>
    public string ConnectionString => string.Join(',', _servers.Select(static server => server.Server));

    /// <summary>The processes.</summary>
    public IReadOnlyList<MemcachedProcess> Servers => _servers;

    /// <inheritdoc/>
    public async Task InitializeAsync()
    {
        if (MemcachedBinary.SkipReason is null)
        {
            _servers.AddRange(await StartAsync());
        }
    }

    /// <summary>Three processes of a test's own, which it may stop.</summary>
    public static Task<MemcachedProcess[]> StartAsync() => Task.WhenAll(Enumerable.Range(0, 3).Select(static _ => MemcachedProcess.StartAsync()));

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        foreach (MemcachedProcess server in _servers)
        {
            await server.DisposeAsync();
        }
    }
}
