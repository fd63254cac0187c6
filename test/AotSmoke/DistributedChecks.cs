using System.Buffers;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AotSmoke;

/// <summary>The distributed cache, by both of its interfaces.</summary>
internal static class DistributedChecks
{
    public static async Task RunAsync(IServiceProvider services)
    {
        var cache = services.GetRequiredService<IDistributedCache>();
        byte[] value = [1, 2, 3, 4];
        await cache.SetAsync("key", value, new DistributedCacheEntryOptions
        {
            SlidingExpiration = TimeSpan.FromSeconds(30),
            AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(5),
        });
        Check.That(Same(value, await cache.GetAsync("key")), "an asynchronous read gives back what was stored");
        Check.That(Same(value, cache.Get("key")), "so does a synchronous one");

        var writer = new ArrayBufferWriter<byte>();
        Check.That(await ((IBufferDistributedCache)cache).TryGetAsync("key", writer), "the buffer interface finds the entry");
        Check.That(Same(value, writer.WrittenSpan.ToArray()), "and gives back what was stored");

        var other = services.GetRequiredKeyedService<IDistributedCache>("other");
        Check.That(await other.GetAsync("key") is null, "another namespace does not see the entry");

        await cache.RefreshAsync("key");
        await cache.RemoveAsync("key");
        Check.That(await cache.GetAsync("key") is null, "a removed entry is gone");
    }

    private static bool Same(byte[] expected, byte[]? actual) => expected.AsSpan().SequenceEqual(actual);
}
