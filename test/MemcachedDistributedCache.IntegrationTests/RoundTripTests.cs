using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

public sealed class RoundTripTests
{
    [MemcachedFact]
    public async Task Smoke()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using var cache = new MemcachedCache(new MemcachedCacheOptions { Servers = [server.Server] });
        await cache.SetAsync("a b", Encoding.UTF8.GetBytes("hello"), new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromSeconds(5), AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1) });
        Assert.Equal("hello", Encoding.UTF8.GetString((await cache.GetAsync("a b"))!));
        Assert.Equal("hello", Encoding.UTF8.GetString(cache.Get("a b")!));
        cache.Set("sync", [1, 2, 3], new DistributedCacheEntryOptions());
        Assert.Equal(new byte[] { 1, 2, 3 }, await cache.GetAsync("sync"));
        cache.Remove("sync");
        Assert.Null(cache.Get("sync"));
        var writer = new ArrayBufferWriter<byte>();
        Assert.True(await cache.TryGetAsync("a b", writer));
        Assert.Equal(5, writer.WrittenCount);
        await cache.RefreshAsync("a b");
    }
}
