namespace MemcachedDistributedCache.Telemetry;

/// <summary>The metrics and traces of one cache, for whoever listens.</summary>
/// <param name="hub">The instruments.</param>
/// <param name="cacheName">The cache's service key, or null for the one without.</param>
/// <param name="timeProvider">The clock of durations.</param>
internal sealed class CacheTelemetry(MetricHub hub, string? cacheName, TimeProvider timeProvider)
{
    /// <summary>For what is used without a cache.</summary>
    public static CacheTelemetry Silent { get; } = new(MetricHub.Silent, null, TimeProvider.System);

    /// <summary>Where metrics of a cache as a whole are attached.</summary>
    public MetricHub Hub => hub;

    /// <summary>The tags of a cache as a whole: its name, if it has one.</summary>
    public MetricTags Tags { get; } =
        cacheName is null ? new MetricTags() : new MetricTags(new KeyValuePair<string, object?>(AttributeNames.CacheName, cacheName));

    /// <summary>Makes the part of one server.</summary>
    /// <param name="host">The server's name or address, or the path of its Unix socket.</param>
    /// <param name="port">Its port; 0 of a Unix socket, which has none.</param>
    /// <param name="operations">The names of operations, by number.</param>
    public NodeTelemetry OfNode(string host, int port, IReadOnlyList<string> operations) => new(hub, Tags, host, port, operations, timeProvider);
}

/// <summary>The attributes, by OpenTelemetry's conventions for databases where these have one.</summary>
internal static class AttributeNames
{
    public const string System = "db.system.name";
    public const string Operation = "db.operation.name";
    public const string ServerAddress = "server.address";
    public const string ServerPort = "server.port";
    public const string ErrorType = "error.type";
    public const string Direction = "network.io.direction";
    public const string Outcome = "memcached.outcome";
    public const string CacheName = "memcached.cache.name";
    public const string NodeState = "memcached.node.state";
    public const string HybridEvent = "memcached.hybrid.event";
    public const string EndReason = "memcached.connection.end_reason";
}
