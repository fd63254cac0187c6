namespace MemcachedDistributedCache.Cluster;

/// <summary>Tells which servers there are.</summary>
internal interface IServerLister
{
    /// <summary>The name in the log.</summary>
    string Name { get; }

    /// <summary>Asks, and blocks until there is an answer, or none within a limit. One question at a time.</summary>
    /// <param name="changed">To be called when another question would have another answer. Does not block.</param>
    /// <param name="stop">Ends the question.</param>
    ServerList Ask(Action changed, CancellationToken stop);
}

/// <summary>An answer: servers, or the reason why there are none.</summary>
/// <param name="Servers">The servers, at least one; null for an answer that cannot be used.</param>
/// <param name="Version">Grows with each change of the list; null where the list has none.</param>
/// <param name="Error">The reason; null where there are servers.</param>
internal readonly record struct ServerList(IReadOnlyList<ServerSpec>? Servers, long? Version = null, string? Error = null)
{
    /// <summary>More than any cluster has: each takes connections and a place on the ring.</summary>
    public const int Most = 512;

    /// <summary>An answer that cannot be used.</summary>
    public static ServerList Failed(string error) => new(null, null, error);
}
