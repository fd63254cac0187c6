using System.Buffers;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>Values that are shown to a check before their reader gets them.</summary>
public sealed class CheckedReadTests(ThreeNodes nodes) : IClassFixture<ThreeNodes>
{
    private static readonly DistributedCacheEntryOptions Forever = new();

    [MemcachedFact]
    public async Task What_passes_is_given_and_what_does_not_is_a_miss_and_removed()
    {
        await using MemcachedCache cache = nodes.Cache();
        foreach (int size in (int[])[0, 1, 1000, 900_000])
        {
            byte[] value = new byte[size];
            await cache.SetAsync("key", value, Forever);
            var passed = new ArrayBufferWriter<byte>();
            Assert.True(await cache.TryGetCheckedAsync("key", passed, bytes => bytes.Length == size));
            Assert.Equal(size, passed.WrittenCount);
            var refused = new ArrayBufferWriter<byte>();
            Assert.False(await cache.TryGetCheckedAsync("key", refused, static _ => false));
            Assert.Equal(0, refused.WrittenCount);
            Assert.Null(await cache.GetAsync("key"));
        }

        Assert.False(await cache.TryGetCheckedAsync("none", new ArrayBufferWriter<byte>(), static _ => true));
    }

    [MemcachedFact]
    public async Task What_has_been_replaced_meanwhile_is_not_removed()
    {
        await using MemcachedCache cache = nodes.Cache();
        await cache.SetAsync("key", [1], Forever);
        Assert.False(await cache.TryGetCheckedAsync("key", new ArrayBufferWriter<byte>(), _ =>
        {
            cache.Set("key", [2], Forever);
            return false;
        }));
        Assert.Equal([2], await cache.GetAsync("key"));
    }
}
