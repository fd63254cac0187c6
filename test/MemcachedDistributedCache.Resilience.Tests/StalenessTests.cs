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

    public static TheoryData<string, int, int> Cuts
    {
        get
        {
            var cases = new TheoryData<string, int, int>();
            foreach (string failover in Failovers.Names)
            {
                cases.Add(failover, 300, 100_000); // each key is remembered and removed
                cases.Add(failover, 300, 0); // nothing may be remembered
                cases.Add(failover, 20_000, 100_000); // in many batches
                cases.Add(failover, 20_000, 1000); // there are more than are remembered, and nothing of before is read
            }

            return cases;
        }
    }

    [MemcachedTheory]
    [MemberData(nameof(Cuts))]
    public async Task What_was_set_or_removed_while_a_node_was_cut_off_never_comes_back(string failover, int keys, int maximumUncertain)
    {
        var logger = new RecordingLogger();
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-m", "256");
        await using MemcachedProcess second = await MemcachedProcess.StartAsync("-m", "256");
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(logger, maximumUncertain, failover, proxy.Server, second.Server);
        await ForAllAsync(keys, key => cache.SetAsync(Name(key), [1], Default));
        Assert.Equal(keys, (await ReadAsync(cache, keys)).Count(value => value is [1]));
        long held = Number((await server.StatsAsync())["curr_items"]);
        Assert.InRange(held, keys / 4, keys * 3 / 4);

        await CutAsync(cache, proxy);
        await ForAllAsync(keys, key => IsSet(key) ? cache.SetAsync(Name(key), [2], Default) : cache.RemoveAsync(Name(key)));
        MustBeNew(await ReadAsync(cache, keys));
        Assert.Equal(held, Number((await server.StatsAsync())["curr_items"])); // its memory is whole, with all that is old

        await proxy.ApplyAsync(Fault.None);
        for (bool again = true; again;)
        {
            // From the first moment of its return on, and until all is settled.
            again = cache.GetNodes().Any(node => node is not { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false });
            MustBeNew(await ReadAsync(cache, keys));
        }

        if (maximumUncertain < held)
        {
            await logger.SeesAsync("is read again", 1);
            await logger.SeesAsync("Nothing that the server holds is read any more", 1);
        }
        else
        {
            await Eventually.True(() => logger.Count("have been removed") == 1, "the removals are logged");
            Assert.InRange(Number((await server.StatsAsync())["curr_items"]), 0, 1); // one to tell how far the server had counted
        }

        MustBeNew(await ReadAsync(cache, keys));
        Assert.All(Enumerable.Range(0, 20), key => Assert.True(cache.Get(Name(key)) is null or [2]));
        await ForAllAsync(keys, key => cache.SetAsync(Name(key), [3], Default));
        Assert.All(await ReadAsync(cache, keys), value => Assert.True(value is [3]));
        Assert.Equal(new byte[] { 3 }, cache.Get(Name(0)));

        void MustBeNew(byte[]?[] values)
        {
            int found = 0;
            for (int key = 0; key < values.Length; key++)
            {
                Assert.True(values[key] is null || (IsSet(key) && values[key] is [2]), $"key {key} is {values[key]?[0]}");
                found += values[key] is null ? 0 : 1;
            }

            Assert.InRange(found, keys / 8, keys / 2); // at least those of the other node
        }
    }

    [MemcachedFact]
    public async Task A_server_that_restarts_after_it_was_uncertain_is_readable_again()
    {
        var logger = new RecordingLogger();
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(logger, 0, Failovers.None, proxy.Server);
        for (int i = 0; i < 100; i++)
        {
            await cache.SetAsync(Name(i), [1], Default);
        }

        await CutAsync(cache, proxy);
        await cache.RemoveAsync(Name(0));
        Assert.True(cache.GetNodes()[0] is { UncertainKeys: 0, AreAllKeysUncertain: true });
        await proxy.ApplyAsync(Fault.None);
        await Eventually.True(() => logger.Count("is read again") == 1, "the node is readable again");
        Assert.False(cache.GetNodes()[0].AreAllKeysUncertain);
        Assert.Null(await cache.GetAsync(Name(1)));

        // It counts from the beginning now: its new items have smaller numbers than those that are not to be read.
        await server.KillAsync();
        await server.StartAgainAsync();
        await Eventually.True(
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
        await using MemcachedCache cache = On(new RecordingLogger(), 1000, Failovers.None, server.Server);
        await cache.SetAsync("key", [1], Default);
        server.Freeze();
        await cache.SetAsync("key", [2], Default); // in the server's socket by now, and answered by nobody
        Assert.True(cache.GetNodes()[0].UncertainKeys > 0);
        server.Thaw();
        await Eventually.True(
            () =>
            {
                Assert.Null(cache.GetAsync("key").WaitAsync(Eventually.Limit).GetAwaiter().GetResult());
                return cache.GetNodes()[0] is { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false };
            },
            "the key is settled");
        Assert.Null(await cache.GetAsync("key"));
        await cache.SetAsync("key", [3], Default);
        Assert.Equal(new byte[] { 3 }, await cache.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task A_cancelled_write_is_uncertain_only_if_its_connection_breaks()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(new RecordingLogger(), 1000, Failovers.None, proxy.Server);
        foreach (bool breaks in (bool[])[false, true])
        {
            await cache.SetAsync("key", [1], Default);
            await proxy.ApplyAsync(Fault.OnRequests(new StreamFault { Stall = true }));
            using var cancel = new CancellationTokenSource();
            Task write = cache.SetAsync("key", [2], Default, cancel.Token);
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write);
            Assert.Equal(0, cache.GetNodes()[0].UncertainKeys);
            if (breaks)
            {
                proxy.DropConnections(reset: true);
                await Eventually.True(() => cache.GetNodes()[0].UncertainKeys == 1, "the key is uncertain");
                await proxy.ApplyAsync(Fault.None);
                await cache.ReadableAsync();
                Assert.Null(await cache.GetAsync("key"));
            }
            else
            {
                await proxy.ApplyAsync(Fault.None);
                Assert.Equal(new byte[] { 2 }, await cache.GetAsync("key"));
            }
        }
    }

    [MemcachedFact]
    public async Task A_synchronous_write_is_not_undone_by_a_cancelled_one_that_it_overtook()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = Caches.On([proxy.Server]);
        Assert.Null(await cache.GetAsync("key"));
        Assert.Null(cache.Get("key"));
        foreach (bool removes in (bool[])[false, true])
        {
            // What is long would take most of a minute on its connection, what is short passes at once on the other.
            await proxy.ApplyAsync(Fault.OnRequests(new StreamFault { DripBytes = 1000, DripInterval = TimeSpan.FromSeconds(1) }));
            using var cancel = new CancellationTokenSource();
            Task write = cache.SetAsync("key", new byte[50_000], Default, cancel.Token);
            await Eventually.True(() => cache.GetNodes()[0].PendingOperations == 1, "the write is on its way");
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write);
            if (removes)
            {
                cache.Remove("key");
            }
            else
            {
                cache.Set("key", [2], Default);
            }

            Assert.True(cache.GetNodes()[0].PendingOperations >= 1, "the cancelled write is still on its way");
            await proxy.ApplyAsync(Fault.OnRequests(new StreamFault { DripBytes = 1000, DripInterval = TimeSpan.FromMilliseconds(20) }));
            bool MayBeThere(byte[]? value) => value is null || (!removes && value is [2]);
            await Eventually.True(
                () =>
                {
                    Assert.True(MayBeThere(cache.Get("key")));
                    return cache.GetNodes()[0] is { PendingOperations: 0, UncertainKeys: 0, AreAllKeysUncertain: false };
                },
                "the write has happened and was undone");
            Assert.True(MayBeThere(await cache.GetAsync("key")));
            await proxy.ApplyAsync(Fault.None);
        }
    }

    private static bool IsSet(int key) => key % 2 == 0;

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static async Task ForAllAsync(int keys, Func<int, Task> act)
    {
        foreach (int[] some in Enumerable.Range(0, keys).Chunk(5000))
        {
            await Task.WhenAll(some.Select(act)).WaitAsync(Eventually.Limit);
        }
    }

    private static async Task<byte[]?[]> ReadAsync(MemcachedCache cache, int keys)
    {
        var values = new byte[]?[keys];
        await ForAllAsync(keys, async key => values[key] = await cache.GetAsync(Name(key)));
        return values;
    }

    private static async Task CutAsync(MemcachedCache cache, FaultProxy proxy)
    {
        await proxy.ApplyAsync(Fault.Refuse);
        proxy.DropConnections(reset: true);
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
    }

    private static string Name(int key) => "key " + key.ToString(CultureInfo.InvariantCulture);

    private static MemcachedCache On(RecordingLogger logger, int maximumUncertain, string failover, params string[] servers) => new(
        new MemcachedCacheOptions
        {
            Servers = servers,
            Namespace = "stale",
            OperationTimeout = TimeSpan.FromSeconds(25), // an attempt of a second by the machine's clock: the proxy shares the pool with blocked callers
            ConnectTimeout = TimeSpan.FromSeconds(20),
            ReconnectDelay = TimeSpan.FromMilliseconds(100),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(1000),
            MaximumUncertainKeys = maximumUncertain,
        }.With(failover),
        logger,
        timeProvider: null,
        meterFactory: null,
        name: null,
        ioTime: new HastyTimeProvider(10));
}
