using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Polly.Timeout;
using Polly;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>What fails by the way is tried again, within the operation's limit.</summary>
public sealed class RetryTests
{
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_whose_connection_breaks_is_asked_again(bool sync)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(proxy);
        await cache.SetAsync("key", [1], Default);
        _ = cache.Get("key"); // so that the synchronous connection exists and has some age
        await Task.Delay(TimeSpan.FromMilliseconds(50));

        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        Task<byte[]?> reading = sync ? Task.Factory.StartNew(() => cache.Get("key"), TaskCreationOptions.LongRunning) : cache.GetAsync("key");
        await BreakAsync(cache, proxy);
        Assert.Equal(new byte[] { 1 }, await reading.WaitAsync(Eventually.Limit));
        Assert.True(cache.GetNodes()[0].Retries > 0);
    }

    [MemcachedFact]
    public async Task A_write_whose_connection_breaks_is_made_again_and_the_key_is_uncertain_until_it_is_certain()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(proxy);
        await cache.SetAsync("key", [1], Default);
        await Task.Delay(TimeSpan.FromMilliseconds(50));
        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        Task writing = cache.SetAsync("key", [2], Default);
        await BreakAsync(cache, proxy);
        await writing.WaitAsync(Eventually.Limit);
        Assert.True(await cache.GetAsync("key") is null or [2]);
        await cache.ReadableAsync();
        Assert.True(await cache.GetAsync("key") is null or [2]);
        await cache.SetAsync("key", [3], Default);
        Assert.Equal(new byte[] { 3 }, await cache.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task A_read_that_times_out_is_asked_again_and_answered_within_the_limit()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(server.EndPoint, static options => options.AttemptTimeout = TimeSpan.FromSeconds(1.5)); // given up after two
        await cache.SetAsync("key", [1], Default);
        server.Freeze();
        Task<byte[]?> reading = cache.GetAsync("key");
        await Eventually.True(() => cache.GetNodes()[0].Retries > 0, "the first attempt has timed out");
        server.Thaw();
        Assert.Equal(new byte[] { 1 }, await reading.WaitAsync(Eventually.Limit));
        Assert.True(cache.GetNodes()[0].Timeouts > 0);
    }

    [MemcachedTheory]
    [InlineData(0)]
    [InlineData(10)]
    public async Task However_often_it_is_tried_an_operation_ends_within_its_limit(int retries)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(server.EndPoint, options =>
        {
            options.OperationTimeout = TimeSpan.FromSeconds(3);
            options.MaximumRetries = retries;
        });
        await cache.SetAsync("read", [1], Default);
        server.Freeze();
        try
        {
            using var machine = new MachinePauses();
            long started = TimeProvider.System.GetTimestamp();
            
            // Each of a key of its own: what is read of a key with an uncertain write is a miss.
            Task[] calls =
            [
                cache.GetAsync("read"),
                cache.SetAsync("set", [2], Default),
                cache.RemoveAsync("removed"),
                Task.Factory.StartNew(() => cache.Get("read"), TaskCreationOptions.LongRunning),
            ];
            foreach (Task call in calls)
            {
                await Assert.ThrowsAsync<MemcachedUnavailableException>(() => call.WaitAsync(Eventually.Limit));
            }

            // A sixteenth of an attempt is the resolution, the rest is a busy machine's; ten retries would take thirteen seconds.
            Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.FromSeconds(1.05), TimeSpan.FromSeconds(6) + (2 * machine.Longest));
            Assert.Equal(retries == 0, cache.GetNodes()[0].Retries == 0);
        }
        finally
        {
            server.Thaw();
        }
    }

    [MemcachedFact]
    public async Task A_pipeline_of_the_application_sees_failures_and_its_own_do_not_reach_callers_that_degrade()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        int failures = 0;
        TimeSpan patience = Eventually.Limit; // first operations connect, and are compiled; only what a server keeps waiting is to be cut off
        await using MemcachedCache cache = Caches.On(
            server.EndPoint,
            options =>
            {
                options.FailureMode = MemcachedFailureMode.Degrade;
                options.OperationTimeout = TimeSpan.FromSeconds(10);
                options.ConfigureResilience(builder =>
                    builder
                        .AddTimeout(new TimeoutStrategyOptions { TimeoutGenerator = _ => ValueTask.FromResult(patience) })
                        .AddRetry(
                            new()
                            {
                                MaxRetryAttempts = 1,
                                ShouldHandle = new PredicateBuilder().Handle<MemcachedUnavailableException>(_ =>
                                    Interlocked.Increment(ref failures) > 0),
                            }));
            });
        await cache.SetAsync("key", [1], Default);
        Assert.Equal(new byte[] { 1 }, await cache.GetAsync("key"));
        Assert.Equal(new byte[] { 1 }, cache.Get("key"));
        server.Freeze();
        patience = TimeSpan.FromMilliseconds(300);
        Assert.Null(await cache.GetAsync("key").WaitAsync(TimeSpan.FromSeconds(5)));
        await cache.RemoveAsync("key").WaitAsync(TimeSpan.FromSeconds(5));
        server.Thaw();
        patience = Eventually.Limit;
        await cache.ReadableAsync();
        Assert.Null(await cache.GetAsync("key"));
        await server.KillAsync();
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        Assert.Null(await cache.GetAsync("key"));
        Assert.Null(cache.Get("key"));
        Assert.True(failures > 0, "the pipeline saw no failure");
    }

    [MemcachedFact]
    public async Task A_pipeline_of_the_application_is_heard_where_failures_are_thrown()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        TimeSpan patience = Eventually.Limit;
        await using MemcachedCache cache = Caches.On(
            server.EndPoint,
            options =>
                options.ConfigureResilience(builder =>
                    builder.AddTimeout(new TimeoutStrategyOptions { TimeoutGenerator = _ => ValueTask.FromResult(patience) })));
        await cache.SetAsync("key", [1], Default);
        server.Freeze();
        patience = TimeSpan.FromMilliseconds(300);
        await Assert.ThrowsAsync<TimeoutRejectedException>(() => cache.SetAsync("key", [2], Default).WaitAsync(Eventually.Limit));
        server.Thaw();
        patience = Eventually.Limit;
        await cache.ReadableAsync();
        Assert.Null(await cache.GetAsync("key")); // nobody knows whether it was stored
    }

    /// <summary>Breaks the connection on which a request is under way; the next one is served.</summary>
    private static async Task BreakAsync(MemcachedCache cache, FaultProxy proxy)
    {
        await Eventually.True(() => cache.GetNodes()[0].PendingOperations == 1, "the request is on its way");
        proxy.DropConnections(reset: true);
        await proxy.ApplyAsync(Fault.None);
    }

    private static MemcachedCache On(FaultProxy proxy) => Caches.On(
        [proxy.Server],
        static options =>
        {
            options.OperationTimeout = TimeSpan.FromSeconds(60);
            options.ConnectTimeout = TimeSpan.FromSeconds(60);
            options.ReconnectDelay = TimeSpan.FromMilliseconds(100);
            options.MaximumReconnectDelay = TimeSpan.FromMilliseconds(500);
            options.MaximumRetries = 10;
            options.RetryDelay = TimeSpan.FromMilliseconds(200);
        },
        ioTime: new HastyTimeProvider(10));
}
