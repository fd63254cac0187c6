using System.Globalization;
using System.Text.Json;
using MemcachedDistributedCache.AotSmoke;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

// Trimmed or compiled ahead of time, and run by test.sh against a real memcached: what trimming takes away is missed
// here, not in production.
if (args is not [{ Length: > 0 } server])
{
    Console.Error.WriteLine("usage: AotSmoke <host:port>");
    return 64;
}

WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
builder.WebHost.UseUrls("http://127.0.0.1:0");
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
{
    ["Memcached:Servers:0"] = server,
    // A run finds nothing of another run on the same server.
    ["Memcached:Namespace"] = string.Create(CultureInfo.InvariantCulture, $"aot-{Guid.NewGuid():N}:"),
    ["Memcached:OperationTimeout"] = "00:00:05",
    ["Memcached:FailureMode"] = "Throw",
    ["Memcached:Hybrid:StaleWindow"] = "00:00:10",
});

using var metrics = new MetricCounts();
builder.Services
    .AddMemcachedHybridCache(builder.Configuration.GetSection("Memcached"))
    .AddKeyedSingleton<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>), new JsonSerializerOptions { TypeInfoResolver = ValuesJson.Default })
    .AddSingleton<IHybridCacheSerializerFactory, HandmadeFactory>()
    .AddKeyedMemcachedDistributedCache("other", server)
    .AddMemcachedOutputCache();
builder.Services.AddHealthChecks().AddMemcached();

await using WebApplication app = builder.Build();
WebChecks.Map(app);
await app.StartAsync();

OptionChecks.RunBound(app.Services);
await OptionChecks.RunWrongAsync();
await DistributedChecks.RunAsync(app.Services);
await HybridChecks.RunAsync(app.Services);
await WebChecks.RunAsync(app);
metrics.Check(server);

await app.StopAsync();
Console.WriteLine("round trip complete");
return 0;
