using System.Text;
using MemcachedDistributedCache;
using MemcachedDistributedCache.Embedded;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;

if (args is not [var packages, var server, var tool])
{
    Console.Error.WriteLine("usage: PackageSmoke <folder of the packages> <host:port of a memcached> <host:port of the tool>");
    return 64;
}

PackageChecks.Run(packages);

WebApplicationBuilder builder = WebApplication.CreateBuilder();
builder.WebHost.UseUrls("http://127.0.0.1:0");
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.Configuration["Memcached:Servers"] = server;
// A run finds nothing of another run on the same server.
builder.Configuration["Memcached:Namespace"] = $"packages-{Guid.NewGuid():N}:";
builder.Configuration["Memcached:OperationTimeout"] = "00:00:05";
builder.Configuration["Memcached:FailureMode"] = "Throw";
builder.Configuration["Services:mc:tcp:0"] = $"tcp://{server}";
builder.Services.AddServiceDiscovery();
builder.Services
    .AddKeyedMemcachedDistributedCache("discovered", Strict())
    .AddKeyedMemcachedServiceDiscovery("discovered", "_tcp.mc")
    .AddMemcachedHybridCache(builder.Configuration.GetSection("Memcached"))
    .AddKeyedMemcachedDistributedCache("tool", Strict(tool))
    .AddKeyedMemcachedDistributedCache("embedded", Strict())
    .AddKeyedEmbeddedMemcached("embedded")
    .AddMemcachedOutputCache();
builder.Services.AddHealthChecks().AddMemcached();

await using WebApplication app = builder.Build();
int made = 0;
app.UseOutputCache();
app.MapGet("/page", () => Interlocked.Increment(ref made)).CacheOutput(policy => policy.Tag("page"));
app.MapHealthChecks("/health");
await app.StartAsync();

await KeepsAsync("memcached", app.Services.GetRequiredService<IDistributedCache>());
await KeepsAsync("the tool", app.Services.GetRequiredKeyedService<IDistributedCache>("tool"));
await KeepsAsync("the embedded server", app.Services.GetRequiredKeyedService<IDistributedCache>("embedded"));
await KeepsAsync("a server from service discovery", app.Services.GetRequiredKeyedService<IDistributedCache>("discovered"));
Check.That(app.Services.GetRequiredKeyedService<EmbeddedMemcached>("embedded").Nodes.Count == 3, "the embedded server has its nodes");

var hybrid = app.Services.GetRequiredService<HybridCache>();
var fromCluster = new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableLocalCacheRead };
Check.That(
    await hybrid.GetOrCreateAsync("product", _ => ValueTask.FromResult(new Product(1, "cup")), tags: ["products"]) == new Product(1, "cup"),
    "the hybrid cache runs the factory");
Check.That(
    await hybrid.GetOrCreateAsync("product", _ => ValueTask.FromResult(new Product(2, "mug")), fromCluster, ["products"])
        == new Product(1, "cup"),
    "the value is in the cluster");
await hybrid.RemoveByTagAsync("products");
Check.That(
    await hybrid.GetOrCreateAsync("product", _ => ValueTask.FromResult(new Product(3, "pot")), tags: ["products"]) == new Product(3, "pot"),
    "a removal by tag removes it");

using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
Check.That(await client.GetStringAsync("/page") == "1" && await client.GetStringAsync("/page") == "1", "a page comes from the output cache");
await app.Services.GetRequiredService<IOutputCacheStore>().EvictByTagAsync("page", default);
Check.That(await client.GetStringAsync("/page") == "2", "an evicted page is made anew");
Check.That(await client.GetStringAsync("/health") == "Healthy", "the health check reaches the server");

await app.StopAsync();
Console.WriteLine("round trip complete");
return 0;

static Action<MemcachedCacheOptions> Strict(params string[] servers) => options =>
{
    options.Servers = [.. servers];
    options.FailureMode = MemcachedFailureMode.Throw;
    options.OperationTimeout = TimeSpan.FromSeconds(5);
};

static async Task KeepsAsync(string what, IDistributedCache cache)
{
    await cache.SetAsync("key", "value"u8.ToArray(), new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) });
    Check.That(await cache.GetAsync("key") is { } found && Encoding.UTF8.GetString(found) == "value", what + " keeps a value");
    await cache.RemoveAsync("key");
    Check.That(cache.Get("key") is null, what + " removes a value");
}

internal sealed record Product(int Id, string Name);
