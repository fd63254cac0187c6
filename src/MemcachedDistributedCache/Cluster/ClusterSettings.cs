using MemcachedDistributedCache.Connections;
using Polly;

namespace MemcachedDistributedCache.Cluster;

/// <summary>What all nodes of a cluster have in common.</summary>
internal sealed record ClusterSettings
{
    /// <summary>The settings of their connections.</summary>
    public required ConnectionSettings Connections { get; init; }

    /// <summary>Connections for asynchronous callers to one node.</summary>
    public required int ConnectionsPerNode { get; init; }

    /// <summary>The pause after a failure; a connection that lived shorter counts as one.</summary>
    public required TimeSpan ReconnectDelay { get; init; }

    /// <summary>How many keys with a failed write are remembered per node.</summary>
    public required int MaximumSuspectKeys { get; init; }

    /// <summary>A key of the cache's namespace that no caller can name, to ask how far a server has counted.</summary>
    public required byte[] ProbeKey { get; init; }

    /// <summary>Repeats attempts to reach a node that is down.</summary>
    public required ResiliencePipeline Reconnect { get; init; }
}

/// <summary>Tells the reconnect pipeline that an attempt failed; never leaves the cluster.</summary>
internal sealed class ConnectFailedException(ConnectionEnd end) : Exception(end.Message, end.Cause);
