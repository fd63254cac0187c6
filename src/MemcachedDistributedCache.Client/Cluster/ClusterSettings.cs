using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Consistency;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace MemcachedDistributedCache.Cluster;

/// <summary>The settings that all nodes of a cluster share.</summary>
internal sealed record ClusterSettings
{
    /// <summary>The settings of their connections.</summary>
    public required ConnectionSettings Connections { get; init; }

    /// <summary>The limit of a whole operation, of which <see cref="ConnectionSettings.Clock"/> has that of one attempt.</summary>
    public required TimeSpan OperationTimeout { get; init; }

    /// <summary>Connections for asynchronous callers to one node.</summary>
    public required int ConnectionsPerNode { get; init; }

    /// <summary>The pause after a failure; a connection that lived shorter counts as one.</summary>
    public required TimeSpan ReconnectDelay { get; init; }

    /// <summary>How many keys with a failed write are remembered per node.</summary>
    public required int MaximumUncertainKeys { get; init; }

    /// <summary>A key of the cache's namespace that no caller can name, to ask how far a server has counted.</summary>
    public required byte[] ProbeKey { get; init; }

    /// <summary>Makes the circuit of a node.</summary>
    public required Func<ICircuit> NewCircuit { get; init; }

    /// <summary>For how long, in seconds, a node keeps what it holds for another that is down; 0 without a gutter.</summary>
    public required int GutterSeconds { get; init; }

    /// <summary>Where to log; nowhere by default.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>The settings of <see cref="NodeConsistency"/>.</summary>
    public ConsistencySettings Consistency => new()
    {
        TimeProvider = Connections.TimeProvider,
        OperationTimeout = OperationTimeout,
        RetryPause = ReconnectDelay,
        MaximumUncertainKeys = MaximumUncertainKeys,
        IsShared = Connections.IsShared,
    };

    /// <summary>Told where the connections of a node lead, each time that this changes. Called under a lock; must not block.</summary>
    public Action<Transport.ServerAddress, System.Net.IPAddress>? AddressChanged { get; init; }

    /// <summary>Told when a node goes down. Must not block.</summary>
    public Action? NodeDown { get; init; }

    /// <summary>The pause between two questions for the list of servers, where that is discovered.</summary>
    public TimeSpan DiscoveryInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How often names are looked up again; infinite for never.</summary>
    public required TimeSpan DnsRefreshInterval { get; init; }
}
