using System.Net;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Warns when two servers of the configuration lead to one address and port, such as <c>localhost</c> and
/// <c>127.0.0.1</c>: that server has the shares of both, and when it is down no gutter is left. Known only when a
/// connection is open, since names may lead anywhere. Thread-safe.
/// </summary>
internal sealed class SharedAddresses(ILogger logger)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ServerAddress, IPAddress> _addresses = [];

    /// <summary>A server's connections lead to this address from now on.</summary>
    public void Note(ServerAddress server, IPAddress address)
    {
        ServerAddress? other;
        lock (_lock)
        {
            _addresses[server] = address;
            other = _addresses.FirstOrDefault(known => known.Key != server && known.Key.Port == server.Port && known.Value.Equals(address)).Key;
        }

        if (other is not null)
        {
            Log.ServersShareAddress(logger, server.ToString(), other.ToString(), new ServerAddress(address.ToString(), server.Port).ToString());
        }
    }

    /// <summary>A server has left the configuration.</summary>
    public void Forget(ServerAddress server)
    {
        lock (_lock)
        {
            _addresses.Remove(server);
        }
    }
}
