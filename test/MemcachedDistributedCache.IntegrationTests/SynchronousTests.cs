using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

public sealed class SynchronousTests
{
    [MemcachedFact]
    public async Task Many_threads_share_one_synchronous_connection()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(server.EndPoint);
        Thread[] threads = [.. Enumerable.Range(0, 32).Select(caller => new Thread(() =>
        {
            for (int version = 0; version < 200; version++)
            {
                cache.Set("key" + caller, KeyedValues.Create(caller, version, version * 10), new DistributedCacheEntryOptions());
                Assert.Equal(version, KeyedValues.VersionOf(caller, cache.Get("key" + caller)!));
            }
        }))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        foreach (Thread thread in threads)
        {
            Assert.True(thread.Join(Eventually.Limit));
        }

        // One for asynchronous calls, one for all of these threads, and this question's own.
        Assert.Equal("3", (await server.StatsAsync())["curr_connections"]);
    }
}
