using System.Collections.Concurrent;
using MemcachedDistributedCache.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>Logs a page that is too large once for each route, so that one endpoint cannot fill the log.</summary>
internal sealed class OversizeLog(ILogger logger)
{
    /// <summary>Routes are as many as endpoints; what has no endpoint is told by its path, which callers choose.</summary>
    private const int MaximumRoutes = 1000;

    private const int LongestPath = 100;
    private readonly ConcurrentDictionary<string, bool> _routes = new(StringComparer.Ordinal);

    /// <summary>Logs it, unless its route has been.</summary>
    public void Note(HttpContext? context, string key, long size, long limit)
    {
        string route = RouteOf(context, key);
        if (_routes.Count < MaximumRoutes && _routes.TryAdd(route, true))
        {
            Log.PageTooLarge(logger, route, size, limit);
        }
    }

    private static string RouteOf(HttpContext? context, string key) => context?.GetEndpoint() switch
    {
        RouteEndpoint { RoutePattern.RawText: { } pattern } => pattern,
        { DisplayName: { } name } => name,
        _ => PathOf(key),
    };

    /// <summary>ASP.NET's key is the method, the scheme, and host and path, with U+001E between; what follows varies and is none of the route.</summary>
    private static string PathOf(string key)
    {
        string[] parts = key.Split('\x1e', 4);
        string path = parts.Length > 2 && parts[2].IndexOf('/', StringComparison.Ordinal) is int slash and >= 0 ? parts[2][slash..] : "(unknown)";
        return string.Concat(path.Take(LongestPath).Select(static c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
    }
}
