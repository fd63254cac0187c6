using System.Globalization;
using MemcachedDistributedCache.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AotSmoke;

/// <summary>
/// Output caching and the health check, asked by HTTP. Sessions are left out: ASP.NET does not offer them to trimmed
/// programs.
/// </summary>
internal static class WebChecks
{
    private static int _made;

    public static void Map(WebApplication app)
    {
        app.UseOutputCache();
        app.MapGet("/page", static (HttpContext context) => context.Response.WriteAsync(Next())).CacheOutput(static policy => policy.Tag("page"));
        app.MapHealthChecks("/health");
    }

    public static async Task RunAsync(WebApplication app)
    {
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        string first = await client.GetStringAsync("/page");
        Check.That(await client.GetStringAsync("/page") == first, "a page comes from the output cache");
        await app.Services.GetRequiredService<IOutputCacheStore>().EvictByTagAsync("page", default);
        Check.That(await client.GetStringAsync("/page") != first, "a page whose tag was evicted is made anew");

        var pages = app.Services.GetRequiredService<MemcachedOutputCacheStatistics>();
        Check.That(pages is { Stored: 2, Hits: 1, Evictions: 1, Failures: 0 }, "the pages lie in memcached");
        Check.That(await client.GetStringAsync("/health") == "Healthy", "the health check reaches the server");
    }

    private static string Next() => Interlocked.Increment(ref _made).ToString(CultureInfo.InvariantCulture);
}
