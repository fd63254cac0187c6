using System.Globalization;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

public sealed class SynchronousTests
{
    [MemcachedFact]
    public async Task Synchronous_calls_go_on_when_every_thread_of_the_pool_is_blocked_in_one()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        ThreadPool.GetMinThreads(out int minimum, out int minimumIo);
        ThreadPool.GetMaxThreads(out int maximum, out int maximumIo);
        const int Calls = 200;
        var done = new CountdownEvent(Calls); // not disposed: should the test fail, calls are still to signal it
        Exception? failure = null;
        try
        {
            // No more threads than cores, and each of them goes from one synchronous call to the next: whatever needed the pool to
            // complete one would wait until the operation's limit.
            Assert.True(ThreadPool.SetMinThreads(1, minimumIo));
            Assert.True(ThreadPool.SetMaxThreads(Environment.ProcessorCount, maximumIo));
            MemcachedCache cache = Caches.On(server.EndPoint, options => options.OperationTimeout = TimeSpan.FromSeconds(5));
            for (int i = 0; i < Calls; i++)
            {
                string key = i.ToString(CultureInfo.InvariantCulture);
                ThreadPool.QueueUserWorkItem(_ =>
                {
                    try
                    {
                        cache.Set(key, [1, 2, 3], new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) });
                        Assert.Equal(new byte[] { 1, 2, 3 }, cache.Get(key));
                        cache.Refresh(key);
                        cache.Remove(key);
                        Assert.Null(cache.Get(key));
                    }
                    catch (Exception exception)
                    {
                        failure = exception;
                    }
                    finally
                    {
                        done.Signal();
                    }
                });
            }

            // This test runs on a thread of the pool itself, which it must not hold: a thread of its own waits.
            bool all = await Task.Factory.StartNew(() => done.Wait(Caches.Limit), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            Assert.True(all, $"{done.CurrentCount} of {Calls} are still blocked");
            Assert.Null(failure);
            cache.Dispose();
        }
        finally
        {
            ThreadPool.SetMaxThreads(maximum, maximumIo);
            ThreadPool.SetMinThreads(minimum, minimumIo);
        }
    }

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
            Assert.True(thread.Join(Caches.Limit));
        }

        // memcached's own listener, one connection for asynchronous calls, one for all of these threads, and this question's.
        Assert.Equal("4", (await server.StatsAsync())["curr_connections"]);
    }
}
