namespace MemcachedDistributedCache.Cluster;

/// <summary>The numbers from which the metrics of a cluster are read.</summary>
internal interface IClusterReadings
{
    /// <summary>The cluster's nodes.</summary>
    IReadOnlyList<Node> Nodes { get; }

    /// <summary>The servers that have answered lately. Has them asked again, and does not wait for it.</summary>
    IEnumerable<(Node Node, ServerView Seen)> LookAtServers();
}
