using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A partition that reads nothing of what a server has from before an outage.</summary>
public sealed class BeforeOutageTests
{
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedTheory]
    [MemberData(nameof(Failovers.All), MemberType = typeof(Failovers))]
    public async Task What_a_server_has_from_before_it_was_down_is_a_miss_until_it_is_replaced(string failover)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(proxy, failover);
        MemcachedCache plain = cache.CreatePartition("p", MemcachedFailureMode.Throw);
        MemcachedCache careful = cache.CreateVersionPartition("p");
        await careful.SetAsync("key", [1], Default);
        await careful.SetAsync("other", [1], Default);
        Assert.Equal(new byte[] { 1 }, await careful.GetAsync("key"));

        for (byte outage = 2; outage < 5; outage++)
        {
            await CutAsync(cache, proxy);
            await proxy.ApplyAsync(Fault.None);
            await cache.ReadableAsync();
            Assert.Null(await careful.GetAsync("key"));
            Assert.Null(await Task.Run(() => careful.Get("key")));
            Assert.Equal(new byte[] { (byte)(outage - 1) }, await plain.GetAsync("key"));
            Assert.False(await careful.TryAddAsync("key", new([9]), Default));

            // What is stored is read as soon as the server has told how far it had counted.
            await Eventually.True(() => SetAndGet(careful, outage), "what is stored is read");
            Assert.Equal(new byte[] { outage }, await careful.GetAsync("key"));
            Assert.Null(await careful.GetAsync("other"));
        }
    }

    [MemcachedFact]
    public async Task A_server_that_comes_back_empty_is_read_from_its_first_item_on()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(proxy, Failovers.Gutter);
        MemcachedCache careful = cache.CreateVersionPartition("p");
        for (int i = 0; i < 1000; i++)
        {
            await careful.SetAsync("key" + i, [1], Default);
        }

        await CutAsync(cache, proxy);
        await server.KillAsync();
        await server.StartAgainAsync();
        await proxy.ApplyAsync(Fault.None);
        await cache.ReadableAsync();
        await Eventually.True(() => SetAndGet(careful, 2), "what is stored is read");
        Assert.Null(await careful.GetAsync("key1"));
    }

    [MemcachedFact]
    public async Task A_server_that_was_never_seen_down_is_read_whatever_it_has()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache first = On(proxy, Failovers.Gutter);
        await first.CreatePartition("p", MemcachedFailureMode.Throw).SetAsync("key", [1], Default);
        await using MemcachedCache second = On(proxy, Failovers.Gutter);
        await second.ReadableAsync();
        Assert.Equal(new byte[] { 1 }, await second.CreateVersionPartition("p").GetAsync("key"));
    }

    [MemcachedFact]
    public async Task A_server_that_does_not_count_is_not_read_after_an_outage()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-C");
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(proxy, Failovers.Gutter);
        MemcachedCache careful = cache.CreateVersionPartition("p");
        Assert.True(SetAndGet(careful, 1));
        await CutAsync(cache, proxy);
        await proxy.ApplyAsync(Fault.None);
        await cache.ReadableAsync();
        for (byte i = 0; i < 50; i++)
        {
            Assert.False(SetAndGet(careful, i));
        }
    }

    private static MemcachedCache On(FaultProxy proxy, string failover) => Caches.On([proxy.Server], options =>
    {
        options.With(failover);
        options.Namespace = "outage";
        options.ReconnectDelay = TimeSpan.FromMilliseconds(10);
        options.MaximumReconnectDelay = TimeSpan.FromMilliseconds(100);
    });

    private static bool SetAndGet(MemcachedCache cache, byte value)
    {
        cache.Set("key", [value], Default);
        return cache.Get("key") is not null;
    }

    private static async Task CutAsync(MemcachedCache cache, FaultProxy proxy)
    {
        await proxy.ApplyAsync(Fault.Refuse);
        proxy.DropConnections(reset: true);
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the server is down");
    }
}
