using System.Collections.Concurrent;
using MemcachedDistributedCache.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>Logs a page that is too large, or has too many tags, once for each route, so that one endpoint cannot fill the log.</summary>
internal sealed class OversizeLog(ILogger logger)
{
    /// <summary>Routes are as many as endpoints; what has no endpoint is told by its path, which callers choose.</summary>
    private const int MaximumRoutes = 1000;

    private const int LongestPath = 100;
    private readonly ConcurrentDictionary<string, bool> _routes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _routesOfTags = new(StringComparer.Ordinal);

    /// <summary>Logs a page that is too large, unless its route has been.</summary>
    public void Note(HttpContext? context, string key, long size, long limit)
    {
        if (IsFirst(_routes, context, key, out string route))
        {
            Log.PageTooLarge(logger, route, size, limit);
        }
    }

    /// <summary>Logs a page that has too many tags, unless its route has been.</summary>
    public void NoteTags(HttpContext? context, string key, int limit)
    {
        if (IsFirst(_routesOfTags, context, key, out string route))
        {
            Log.PageOfTooManyTags(logger, route, limit);
        }
    }

    private static bool IsFirst(ConcurrentDictionary<string, bool> routes, HttpContext? context, string key, out string route)
    {
        route = RouteOf(context, key);
        return routes.Count < MaximumRoutes && routes.TryAdd(route, true);
    }

    private static string RouteOf(HttpContext? context, string key) => context?.GetEndpoint() switch
    {
        RouteEndpoint { RoutePattern.RawText: { } pattern } => pattern,
        { DisplayName: { } name } => name,
        _ => PathOf(key),
    };

    /// <summary>
    /// ASP.NET's key is the method, the scheme, and host and path, with U+001E between; what follows varies and is none
    /// of the route.
    /// </summary>
    private static string PathOf(string key)
    {
        string[] parts = key.Split('\x1e', 4);
        string path = parts.Length > 2 && parts[2].IndexOf('/', StringComparison.Ordinal) is int slash and >= 0 ? parts[2][slash..] : "(unknown)";
        return string.Concat(path.Take(LongestPath).Select(static c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
    }
}
