using System.Text.Json;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Caching.Hybrid;

namespace WebApi.Cache;

/// <summary>The cache's registration, and an endpoint that shows its nodes.</summary>
internal static partial class CacheEndpoints
{
    public static void AddCache(this WebApplicationBuilder builder)
    {
        builder.Services.AddMemcachedHybridCache(builder.Configuration.GetSection("Memcached"));

        // How cached values become JSON, without reflection.
        builder.Services.AddKeyedSingleton<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>), AppJsonContext.Default.Options);

        // An application with servers of its own needs the lines above and nothing else. This is for a first run
        // without any: the cache uses the nodes because it has no others.
        if (!builder.Configuration.GetSection("Memcached:Servers").Exists())
        {
            builder.Services.AddEmbeddedMemcached();
        }
    }

    public static void MapCache(this WebApplication app)
    {
        app.MapGet("/api/cache/nodes", GetNodes);
        if (app.Services.GetService<EmbeddedMemcached>() is { } embedded)
        {
            LogEmbedded(app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("WebApi.Cache"), embedded.Nodes.Count, embedded.ConnectionString);
        }
    }

    private static Ok<NodeReport[]> GetNodes(MemcachedCache cache) => TypedResults.Ok(cache.GetNodes().Select(NodeReport.From).ToArray());

    [LoggerMessage(
        EventId = 1,
        Level = LogLevel.Warning,
        Message = "Memcached:Servers is not configured: started {Count} embedded nodes on {Servers}. What they hold ends with this process.")]
    private static partial void LogEmbedded(ILogger logger, int count, string servers);
}

/// <summary>A node of the cluster as this process has seen it since it started.</summary>
internal sealed record NodeReport(string Server, string State, string? Version, long Hits, long Misses, long Errors)
{
    public static NodeReport From(MemcachedNodeStatus node) => new(node.Server, node.State.ToString(), node.ServerVersion, node.Hits, node.Misses, node.Errors);
}
