using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Telemetry;

/// <summary>Makes caches that a recorder listens to.</summary>
internal static class Watched
{
    public static MemcachedCache On(
        MetricRecorder? recorder,
        string server,
        Action<MemcachedCacheOptions>? configure = null,
        string? name = null,
        TimeProvider? ioTime = null)
    {
        var options = new MemcachedCacheOptions
        {
            Servers = [server],
            Protocol = Caches.Protocol,
            Namespace = "watched:",
            OperationTimeout = TimeSpan.FromSeconds(10),
            ReconnectDelay = TimeSpan.FromMilliseconds(20),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(200),
            MaximumRetries = 0, // each request is one attempt
        };
        configure?.Invoke(options);
        return new MemcachedCache(options, null, null, recorder, name, ioTime: ioTime);
    }

    public static string[] TagsOf(MemcachedProcess server) => ["server.address=127.0.0.1", $"server.port={server.EndPoint.Port}"];
}
