using System.Buffers;
using System.Text.Json.Serialization;
using System.Text.Json;
using MemcachedDistributedCache.AotSmoke;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

// Compiled ahead of time and run by test.sh against a real memcached: what trimming takes away is missed here, not in production.
if (args is not [{ Length: > 0 } server])
{
    Console.Error.WriteLine("usage: AotSmoke <host:port>");
    return 64;
}

IConfiguration configuration = new ConfigurationBuilder()
    .AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["Memcached:Servers:0"] = server,
        ["Memcached:Namespace"] = "aot:",
        ["Memcached:OperationTimeout"] = "00:00:05",
        ["Memcached:FailureMode"] = "Throw",
        ["Memcached:Hybrid:StaleWindow"] = "00:00:10",
    })
    .Build();

await using ServiceProvider services = new ServiceCollection()
    .AddMemcachedHybridCache(configuration.GetSection("Memcached"))
    .AddKeyedSingleton<JsonSerializerOptions>(typeof(IHybridCacheSerializer<>), new JsonSerializerOptions { TypeInfoResolver = SmokeJson.Default })
    .AddKeyedMemcachedDistributedCache("other", server)
    .BuildServiceProvider();

var cache = services.GetRequiredService<IDistributedCache>();
byte[] value = [1, 2, 3, 4];
await cache.SetAsync("key", value, new DistributedCacheEntryOptions
{
    SlidingExpiration = TimeSpan.FromSeconds(30),
    AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(5),
});
Expect(Same(value, await cache.GetAsync("key")), "an asynchronous read gives back what was stored");
Expect(Same(value, cache.Get("key")), "so does a synchronous one");

var writer = new ArrayBufferWriter<byte>();
Expect(await ((IBufferDistributedCache)cache).TryGetAsync("key", writer), "the buffer interface finds the entry");
Expect(Same(value, writer.WrittenSpan.ToArray()), "and gives back what was stored");

var other = services.GetRequiredKeyedService<IDistributedCache>("other");
Expect(await other.GetAsync("key") is null, "another namespace does not see the entry");

await cache.RefreshAsync("key");
await cache.RemoveAsync("key");
Expect(await cache.GetAsync("key") is null, "a removed entry is gone");

var hybrid = services.GetRequiredService<HybridCache>();
string[] tags = ["smoke"];
Smoke made = await hybrid.GetOrCreateAsync("hybrid", static _ => new ValueTask<Smoke>(new Smoke(7, "seven")), tags: tags);
Smoke found = await hybrid.GetOrCreateAsync("hybrid", static _ => new ValueTask<Smoke>(new Smoke(8, "eight")), new() { Flags = HybridCacheEntryFlags.DisableLocalCache }, tags);
Expect(made == new Smoke(7, "seven") && found == made, "the hybrid cache finds in the cluster what it made, by source-generated JSON");
await hybrid.RemoveByTagAsync("smoke");
Expect(await hybrid.GetOrCreateAsync("hybrid", static _ => new ValueTask<Smoke>(new Smoke(9, "nine")), tags: tags) == new Smoke(9, "nine"), "an invalidated entry is made anew");

try
{
    using ServiceProvider wrong = new ServiceCollection().AddMemcachedDistributedCache("mc1:99999").BuildServiceProvider();
    _ = wrong.GetRequiredService<IDistributedCache>();
    Expect(false, "options are validated");
}
catch (OptionsValidationException exception)
{
    Expect(exception.Message.Contains("99999", StringComparison.Ordinal), "the message names the value");
}

Console.WriteLine("round trip complete");
return 0;

static bool Same(byte[] expected, byte[]? actual) => expected.AsSpan().SequenceEqual(actual);

static void Expect(bool condition, string what)
{
    if (!condition)
    {
        throw new InvalidOperationException("Expected that " + what + ".");
    }
}
