using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Cluster;

/// <summary>Asks DNS for the servers of a service.</summary>
internal sealed class ServiceLister(ServiceResolver services, string name, TimeSpan limit) : IServerLister
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public ServerList Ask(Action changed, CancellationToken stop)
    {
        (IReadOnlyList<ServiceRecord> records, string? error) = services.Resolve(name, limit);
        (IReadOnlyList<ServerSpec>? servers, string? mistake) = error is null ? ServiceServers.Of(records) : (null, null);
        return new ServerList(servers, Error: error ?? mistake);
    }
}
