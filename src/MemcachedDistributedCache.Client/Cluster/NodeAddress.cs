using MemcachedDistributedCache.Consistency;
using System.Net;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Keeps all connections of a node at one server: what one of them stores the others are to find, and a fence that is
/// found by one is to hold for all.
/// </summary>
/// <param name="node">The server as it is configured.</param>
/// <param name="slots">The connections.</param>
/// <param name="uncertain">Told of another server.</param>
/// <param name="settings">The clock, and who opens connections.</param>
/// <param name="pause">How long the node stays at a server before it follows a connection to another.</param>
/// <param name="changed">Told of each address; see <see cref="ClusterSettings.AddressChanged"/>.</param>
internal sealed class NodeAddress(
    Transport.ServerAddress node,
    ConnectionSlots slots,
    UncertainWrites uncertain,
    ConnectionSettings settings,
    TimeSpan pause,
    Action<Transport.ServerAddress, IPAddress>? changed = null)
{
    private readonly Lock _lock = new();
    private IPAddress? _current;
    private long _currentSince;

    /// <summary>
    /// Has the other connections follow one that finds itself elsewhere, or ends that. Runs before its first request is
    /// sent: what has been asked of it may be for the server where the others are.
    /// </summary>
    /// <param name="connection">It; open.</param>
    /// <param name="mayLead">Whether the others follow it.</param>
    /// <returns>Whether it is to be used.</returns>
    public bool Arrive(Connection connection, bool mayLead = true)
    {
        if (settings.IsShared)
        {
            // A balancer gives out several addresses, and means the same by all of them.
            return true;
        }

        lock (_lock)
        {
            if (connection.RemoteAddress is not { } address || address.Equals(_current))
            {
                return true;
            }

            if (slots.HasLeft(connection) || (_current is not null && (!mayLead || settings.TimeProvider.GetElapsedTime(_currentSince) < pause)))
            {
                // Where a name gives another address each time, the connections would follow each other without end.
                connection.Break(ConnectionEndReason.ConnectFailed, $"it leads to {address}, and the node's other connections lead to {_current}");
                return false;
            }

            bool isFirst = _current is null;
            _current = address;
            _currentSince = settings.TimeProvider.GetTimestamp();
            settings.Factory.Prefer(node, address);
            changed?.Invoke(node, address);
            if (!isFirst)
            {
                // What is there has been stored by others, or by us before it was overwritten elsewhere. Once before
                // the other connections are replaced, so that nothing is read by a new one, and once after, so that no
                // number counts that an old one was told.
                uncertain.MarkAll();
                slots.Renew(other => other.RemoteAddress is { } remote && !remote.Equals(address));
                uncertain.MarkAll();
            }

            return true;
        }
    }

    /// <summary>Puts a connection that was opened apart in its slot, if it is where the others are by now.</summary>
    public bool TryInstall(ConnectionSlot slot, Connection connection)
    {
        lock (_lock)
        {
            return (settings.IsShared || connection.RemoteAddress is not { } address || address.Equals(_current)) && slot.TryInstall(connection);
        }
    }
}
