using MemcachedDistributedCache.Cluster;

namespace MemcachedDistributedCache;

/// <summary>The state and the counts of one server, as this process has seen them since its cache or client was made.</summary>
public sealed record MemcachedNodeStatus
{
    internal MemcachedNodeStatus()
    {
    }

    /// <summary>The server's address as configured, <c>host:port</c> or <c>unix:path</c>.</summary>
    public required string Server { get; init; }

    /// <summary>It is worth asking.</summary>
    public required MemcachedNodeState State { get; init; }

    /// <summary>The version that the server reported; null before it has answered, and where a proxy does not tell.</summary>
    public required string? ServerVersion { get; init; }

    /// <summary>Reads that the server answered with an item. One past its exact deadline counts here and is a miss to the caller.</summary>
    public required long Hits { get; init; }

    /// <summary>Reads that the server answered without one.</summary>
    public required long Misses { get; init; }

    /// <summary>Operations without an answer to rely on, <see cref="Timeouts"/> among them. Cancelled ones are not counted.</summary>
    public required long Errors { get; init; }

    /// <summary>Operations that got no answer within the limit.</summary>
    public required long Timeouts { get; init; }

    /// <summary>
    /// Keys whose last write or removal failed. They are misses until what the server has under them has been removed; see
    /// <c>MemcachedCacheOptions.MaximumUncertainKeys</c>.
    /// </summary>
    public required int UncertainKeys { get; init; }

    /// <summary>
    /// Every key is a miss, because what the server holds may be older than a write that failed, and the keys are not
    /// known one by one: there were more than <c>MemcachedCacheOptions.MaximumUncertainKeys</c>, or its name has led
    /// elsewhere and back. False again once it is known up to where its items are old; <see cref="UncertainKeys"/>
    /// counts from that search on anew.
    /// </summary>
    public required bool AreAllKeysUncertain { get; init; }

    /// <summary>Operations that were tried again because an attempt at this server had failed.</summary>
    public required long Retries { get; init; }

    /// <summary>
    /// Reads that found a value here while the server that owns the key was down; see
    /// <see cref="MemcachedFailover.Gutter"/>.
    /// </summary>
    public required long GutterHits { get; init; }

    /// <summary>Requests whose reply is still to come, at this moment.</summary>
    public required int PendingOperations { get; init; }

    internal static IReadOnlyList<MemcachedNodeStatus> Of(IReadOnlyList<Node> nodes)
        => [.. nodes.Select(static node => new MemcachedNodeStatus
        {
            Server = node.Counters.Server,
            State = node.State,
            ServerVersion = node.ServerVersion,
            Hits = node.Counters.Hits,
            Misses = node.Counters.Misses,
            Errors = node.Counters.Errors,
            Timeouts = node.Counters.Timeouts,
            PendingOperations = node.PendingCount,
            UncertainKeys = node.Consistency.Writes.Count,
            AreAllKeysUncertain = node.Consistency.Writes.AreAllUncertain,
            Retries = node.Counters.Retries,
            GutterHits = node.Counters.GutterHits,
        })];
}
