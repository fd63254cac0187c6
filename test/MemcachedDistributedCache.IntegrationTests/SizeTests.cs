using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

public sealed class SizeTests
{
    private static readonly DistributedCacheEntryOptions Default = new();
    private static readonly DistributedCacheEntryOptions Hour = new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1) };

    [MemcachedTheory(MetaOnly = "With Protocol = Classic a server is not asked for its limit.")]
    [InlineData(null, 1024 * 1024)]
    [InlineData("512k", 512 * 1024)]
    [InlineData("4m", 4 * 1024 * 1024)]
    public async Task The_limit_is_the_servers_own_to_the_byte(string? itemSize, int expected)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync(itemSize is null ? [] : ["-I", itemSize]);
        await using MemcachedCache cache = Caches.On(server.EndPoint, options => options.Namespace = "");
        await cache.GetAsync("warm");
        foreach (DistributedCacheEntryOptions options in (DistributedCacheEntryOptions[])[Default, Hour])
        {
            var error = await Assert.ThrowsAsync<MemcachedValueTooLargeException>(() => cache.SetAsync("key", new byte[expected], options));
            Assert.Equal("key", error.Key);
            Assert.Equal(expected, error.Size);
            Assert.InRange(error.Limit, expected - 100, expected - 1);

            byte[] largest = new byte[error.Limit];
            new Random(1).NextBytes(largest);
            await cache.SetAsync("key", largest, options);
            Assert.Equal(largest, await cache.GetAsync("key"));

            await Assert.ThrowsAsync<MemcachedValueTooLargeException>(() => cache.SetAsync("key", new byte[error.Limit + 1], options));
            Assert.Null(await cache.GetAsync("key"));
        }
    }

    [MemcachedFact]
    public async Task An_option_lowers_the_limit_and_the_message_names_key_size_and_limit()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(server.EndPoint, options => options.MaximumValueBytes = 1000);
        await cache.SetAsync("report", new byte[1000], Default);
        var error = Assert.Throws<MemcachedValueTooLargeException>(() => cache.Set("report", new byte[1001], Default));
        Assert.Equal("report", error.Key);
        Assert.DoesNotContain("report", error.Message, StringComparison.Ordinal);
        Assert.Contains("1001 bytes", error.Message, StringComparison.Ordinal);
        Assert.Contains("limit is 1000 bytes", error.Message, StringComparison.Ordinal);
        Assert.Null(cache.Get("report"));
    }

    [MemcachedFact]
    public async Task Skipped_values_leave_nothing_older_behind()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(server.EndPoint, options => options.OversizeBehavior = MemcachedOversizeBehavior.Skip);
        await cache.SetAsync("key", [1], Hour);
        await cache.SetAsync("key", new byte[2 * 1024 * 1024], Hour);
        Assert.Null(await cache.GetAsync("key"));
        await cache.SetAsync("key", RoundTripTests.InPieces(new byte[3 * 1024 * 1024], 5), Hour);
        Assert.Null(await cache.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task The_first_store_of_all_is_judged_too()
    {
        // No handshake has been read when this one is asked for: the server judges, and the connection stays in step.
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(server.EndPoint);
        Task[] stores = [.. Enumerable.Range(0, 20).Select(i => cache.SetAsync("key" + i, new byte[i % 2 == 0 ? 10 : 2 * 1024 * 1024], Default))];
        for (int i = 0; i < stores.Length; i++)
        {
            if (i % 2 == 0)
            {
                await stores[i];
                Assert.Equal(10, (await cache.GetAsync("key" + i))!.Length);
            }
            else
            {
                await Assert.ThrowsAsync<MemcachedValueTooLargeException>(() => stores[i]);
                Assert.Null(await cache.GetAsync("key" + i));
            }
        }
    }
}
