using System.Globalization;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A node that was away comes back with its memory whole. What was changed meanwhile is never read from it again.</summary>
public sealed class StalenessTests
{
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedTheory]
    [InlineData(300, 100_000)] // each key is remembered and removed
    [InlineData(3000, 1000)] // there are more than are remembered, and nothing of before is read
    [InlineData(300, 0)] // nothing may be remembered
    public async Task What_was_set_or_removed_while_a_node_was_cut_off_never_comes_back(int keys, int maximumSuspects)
    {
        var logger = new RecordingLogger();
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(logger, maximumSuspects, proxy.Server);
        await using MemcachedCache other = On(new RecordingLogger(), maximumSuspects, server.Server);
        for (int i = 0; i < keys; i++)
        {
            await cache.SetAsync(Name(i), [1], Default);
        }

        await CutAsync(cache, proxy);
        await Task.WhenAll(Enumerable.Range(0, keys).Select(i => i % 2 == 0 ? cache.SetAsync(Name(i), [2], Default) : cache.RemoveAsync(Name(i))));
        Assert.All(await Task.WhenAll(Enumerable.Range(0, keys).Select(i => cache.GetAsync(Name(i)))), Assert.Null);
        Assert.NotNull(await other.GetAsync(Name(0))); // the server's memory is whole

        await proxy.ApplyAsync(Fault.None);
        for (bool again = true; again;)
        {
            // From the first moment of its return on, and until all is settled.
            again = cache.GetNodes()[0] is not { State: MemcachedNodeState.Up, SuspectKeys: 0 };
            Assert.All(await Task.WhenAll(Enumerable.Range(0, keys).Select(i => cache.GetAsync(Name(i)))), Assert.Null);
        }

        if (maximumSuspects < keys)
        {
            await Caches.UntilAsync(() => logger.Count("is read again") == 1, "the node is trusted again");
            await logger.SeesAsync("Nothing that the server holds is read any more", 1);
        }
        else
        {
            await Caches.UntilAsync(() => logger.Count("have been removed") == 1, "the removals are logged");
            Assert.Null(await other.GetAsync(Name(0)));
        }

        for (int i = 0; i < keys; i++)
        {
            Assert.Null(await cache.GetAsync(Name(i)));
            await cache.SetAsync(Name(i), [3], Default);
            Assert.Equal(new byte[] { 3 }, await cache.GetAsync(Name(i)));
            Assert.Equal(new byte[] { 3 }, cache.Get(Name(i)));
        }
    }

    [MemcachedFact]
    public async Task A_server_that_restarts_after_it_was_distrusted_is_trusted_again()
    {
        var logger = new RecordingLogger();
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(logger, 0, proxy.Server);
        for (int i = 0; i < 100; i++)
        {
            await cache.SetAsync(Name(i), [1], Default);
        }

        await CutAsync(cache, proxy);
        await cache.RemoveAsync(Name(0));
        await proxy.ApplyAsync(Fault.None);
        await Caches.UntilAsync(() => logger.Count("is read again") == 1, "the node is trusted again");
        Assert.Null(await cache.GetAsync(Name(1)));

        // It counts from the beginning now: its new items have smaller numbers than those that are not to be read.
        await server.KillAsync();
        await server.StartAgainAsync();
        await Caches.UntilAsync(
            () =>
            {
                cache.Set(Name(2), [2], Default);
                return cache.Get(Name(2)) is not null;
            },
            "a new item is read");
    }

    [MemcachedFact]
    public async Task A_write_that_timed_out_and_happens_later_is_not_read()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = On(new RecordingLogger(), 1000, server.Server);
        await cache.SetAsync("key", [1], Default);
        server.Freeze();
        await cache.SetAsync("key", [2], Default); // in the server's socket by now, and answered by nobody
        Assert.True(cache.GetNodes()[0].SuspectKeys > 0);
        server.Thaw();
        await Caches.UntilAsync(
            () =>
            {
                Assert.Null(cache.GetAsync("key").WaitAsync(Caches.Limit).GetAwaiter().GetResult());
                return cache.GetNodes()[0] is { State: MemcachedNodeState.Up, SuspectKeys: 0 };
            },
            "the key is settled");
        Assert.Null(await cache.GetAsync("key"));
        await cache.SetAsync("key", [3], Default);
        Assert.Equal(new byte[] { 3 }, await cache.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task A_cancelled_write_is_in_doubt_only_if_its_connection_breaks()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(new RecordingLogger(), 1000, proxy.Server);
        foreach (bool breaks in (bool[])[false, true])
        {
            await cache.SetAsync("key", [1], Default);
            await proxy.ApplyAsync(Fault.OnRequests(new StreamFault { Stall = true }));
            using var cancel = new CancellationTokenSource();
            Task write = cache.SetAsync("key", [2], Default, cancel.Token);
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write);
            Assert.Equal(0, cache.GetNodes()[0].SuspectKeys);
            if (breaks)
            {
                proxy.DropConnections(reset: true);
                await Caches.UntilAsync(() => cache.GetNodes()[0].SuspectKeys == 1, "the key is in doubt");
                await proxy.ApplyAsync(Fault.None);
                await cache.TrustedAsync();
                Assert.Null(await cache.GetAsync("key"));
            }
            else
            {
                await proxy.ApplyAsync(Fault.None);
                Assert.Equal(new byte[] { 2 }, await cache.GetAsync("key"));
            }
        }
    }

    private static async Task CutAsync(MemcachedCache cache, FaultProxy proxy)
    {
        await proxy.ApplyAsync(Fault.Refuse);
        proxy.DropConnections(reset: true);
        await Caches.UntilAsync(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
    }

    private static string Name(int key) => "key " + key.ToString(CultureInfo.InvariantCulture);

    private static MemcachedCache On(RecordingLogger logger, int maximumSuspects, string server) => new(
        new MemcachedCacheOptions
        {
            Servers = [server],
            Namespace = "stale",
            OperationTimeout = TimeSpan.FromSeconds(2.5), // an attempt of a second: the proxy shares the pool with blocked callers
            ReconnectDelay = TimeSpan.FromMilliseconds(10),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(100),
            MaximumSuspectKeys = maximumSuspects,
        },
        logger);
}
