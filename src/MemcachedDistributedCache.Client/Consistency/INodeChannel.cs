using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Consistency;

/// <summary>A node as this room sees it.</summary>
internal interface INodeChannel
{
    /// <summary>The node answers requests.</summary>
    bool IsUp { get; }

    /// <summary>The version that the server told last.</summary>
    string? ServerVersion { get; }

    /// <summary>The server is known to leave an item its CAS until it is stored anew.</summary>
    bool KeepsCas { get; }

    /// <summary>The CAS of an item that is stored now, 0 from a server that does not count; null if there is no answer.</summary>
    Task<ulong?> ProbeAsync();

    /// <summary>Deletes what is under a key.</summary>
    Task<OperationResult> DeleteAsync(byte[] key);

    /// <summary>The server's statistics, asked for on a connection of their own; null if there is no answer.</summary>
    Task<ServerStatistics?> GetStatisticsAsync(CancellationToken cancellationToken);
}
