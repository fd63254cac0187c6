using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Cluster;

/// <summary>Asks a configuration endpoint of ElastiCache or Memorystore.</summary>
internal sealed class EndpointLister(ConnectionSettings settings, ServerAddress endpoint) : IServerLister
{
    /// <inheritdoc/>
    public string Name { get; } = endpoint.ToString();

    /// <inheritdoc/>
    public ServerList Ask(Action changed, CancellationToken stop)
    {
        (ClusterConfiguration? configuration, string? error) = ConfigurationExchange.Run(settings, endpoint, stop);
        if (configuration is null)
        {
            return ServerList.Failed(error!);
        }

        var servers = new List<ServerSpec>(configuration.Servers.Count);
        foreach ((string host, int port) in configuration.Servers)
        {
            string text = new ServerAddress(host, port).ToString();
            if (!ServerSpec.TryParse(text, out ServerSpec? server, out string? mistake))
            {
                return ServerList.Failed($"it names the server '{text}': {mistake}");
            }

            servers.Add(server);
        }

        return new ServerList(servers, configuration.Version);
    }
}
