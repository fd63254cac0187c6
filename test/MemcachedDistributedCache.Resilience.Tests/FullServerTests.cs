using System.Net.Sockets;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Servers that have no room: for values, or for connections.</summary>
public sealed class FullServerTests
{
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedTheory]
    [InlineData(MemcachedFailureMode.Degrade)]
    [InlineData(MemcachedFailureMode.Throw)]
    public async Task A_server_without_memory_drops_the_value_and_the_older_one_and_serves_on(MemcachedFailureMode mode)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-m", "2", "-M");
        await using MemcachedCache cache = Caches.On(server.EndPoint, options => options.FailureMode = mode);
        await cache.SetAsync("key", new byte[100], Default);
        int filled = 0;
        while (await TryAsync(() => cache.SetAsync("fill" + filled, new byte[100_000], Default)) && cache.GetNodes()[0].Errors == 0)
        {
            Assert.True(++filled < 1000, "a memcached of 2 MB takes no end of values");
        }

        Assert.Equal(1, cache.GetNodes()[0].Errors);
        Assert.NotNull(await cache.GetAsync("key"));
        Assert.Equal(mode == MemcachedFailureMode.Degrade, await TryAsync(() => cache.SetAsync("key", new byte[100_000], Default)));
        Assert.Null(await cache.GetAsync("key"));
        Assert.Equal(mode == MemcachedFailureMode.Degrade, await TryAsync(() => Task.Run(() => cache.Set("fill0", new byte[100_001], Default))));
        Assert.Null(cache.Get("fill0"));
        Assert.Equal((MemcachedNodeState.Up, 3L, 0), (cache.GetNodes()[0].State, cache.GetNodes()[0].Errors, cache.GetNodes()[0].UncertainKeys));

        // One of the large values was removed on the way, so there is room for one again.
        await cache.SetAsync("key", new byte[100_000], Default);
        Assert.Equal(100_000, (await cache.GetAsync("key"))!.Length);
        Assert.Equal(100_000, (await cache.GetAsync("fill1"))!.Length);
    }

    [MemcachedTheory]
    [InlineData(MemcachedFailureMode.Degrade)]
    [InlineData(MemcachedFailureMode.Throw)]
    public async Task A_server_whose_memory_ends_while_a_large_value_comes_refuses_that_value_and_nobody_loses_a_read(MemcachedFailureMode mode)
    {
        // Above about half of the page size memcached takes a value in pieces, and may find only while it reads it that
        // there is no memory for the next.
        byte[] large = new byte[600_000];
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-m", "8", "-M");
        await using MemcachedCache cache = Caches.On(server.EndPoint, options => options.FailureMode = mode);
        for (int key = 0; key < 50; key++)
        {
            await cache.SetAsync("small" + key, KeyedValues.Create(key, 1, 100), Default);
        }

        for (int filled = 0; await TryAsync(() => cache.SetAsync("fill" + filled, large, Default)) && cache.GetNodes()[0].Errors == 0; filled++)
        {
            Assert.True(filled < 100, "a memcached of 8 MB takes no end of values");
        }

        using var stop = new CancellationTokenSource();
        Task<int>[] readers = [.. Enumerable.Range(0, 8).Select(reader => Task.Run(async () =>
        {
            int reads = 0;
            for (; !stop.IsCancellationRequested; reads++)
            {
                int key = (reads + reader) % 50;
                Assert.Equal(1, KeyedValues.VersionOf(key, await cache.GetAsync("small" + key)));
            }

            return reads;
        }))];
        long refused = cache.GetNodes()[0].Errors;
        for (int i = 0; i < 30; i++)
        {
            Assert.Equal(mode == MemcachedFailureMode.Degrade, await TryAsync(() => cache.SetAsync("large", large, Default)));
            Assert.Null(await cache.GetAsync("large"));
            Assert.Equal(mode == MemcachedFailureMode.Degrade, await TryAsync(() => Task.Run(() => cache.Set("large", large, Default))));
        }

        await stop.CancelAsync();
        Assert.All(await Task.WhenAll(readers).WaitAsync(Eventually.Limit), static reads => Assert.True(reads > 0));
        Assert.Equal((MemcachedNodeState.Up, refused + 60, 0), (cache.GetNodes()[0].State, cache.GetNodes()[0].Errors, cache.GetNodes()[0].UncertainKeys));
    }

    [MemcachedTheory]
    [InlineData("maxconns_fast")]
    [InlineData("no_maxconns_fast")]
    public async Task A_server_with_too_many_connections_is_down_until_there_is_room(string manner)
    {
        const int Room = 16; // the least with which it starts, its own descriptors included
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-c", Room.ToString(), "-t", "1", "-o", manner);
        var others = new List<TcpClient>();
        try
        {
            for (bool accepts = true; accepts && others.Count < Room + 4;)
            {
                // Once it has stopped listening, connects hang.
                others.Add(new TcpClient());
                using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
                Task connecting = others[^1].ConnectAsync(server.EndPoint, patience.Token).AsTask();
                await connecting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                accepts = connecting.IsCompletedSuccessfully;
            }

            var logger = new RecordingLogger();
            await using var cache = new MemcachedCache(
                new MemcachedCacheOptions
                {
                    Servers = [server.Server],
                    ConnectTimeout = TimeSpan.FromMilliseconds(500),
                    OperationTimeout = TimeSpan.FromSeconds(1),
                    ReconnectDelay = TimeSpan.FromMilliseconds(10),
                    MaximumReconnectDelay = TimeSpan.FromMilliseconds(100),
                },
                logger);
            Assert.Null(await cache.GetAsync("key").WaitAsync(Eventually.Limit));
            await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
            await cache.SetAsync("key", [1], Default);
            Assert.Null(await cache.GetAsync("key"));
            Assert.Null(cache.Get("key"));
            await logger.SeesAsync($"memcached {server.Server} is down", 1);
            others.ForEach(static client => client.Dispose());
            await cache.ReadableAsync();
            Assert.Null(await cache.GetAsync("key"));
            await cache.SetAsync("key", [2], Default);
            Assert.Equal(new byte[] { 2 }, await cache.GetAsync("key"));
            Assert.Equal(new byte[] { 2 }, cache.Get("key"));
        }
        finally
        {
            others.ForEach(static client => client.Dispose());
        }
    }

    private static async Task<bool> TryAsync(Func<Task> store)
    {
        try
        {
            await store();
            return true;
        }
        catch (MemcachedUnavailableException exception)
        {
            Assert.Equal((MemcachedFailureReason.ServerOutOfMemory, true, "Set"), (exception.Reason, exception.WasSent, exception.Operation));
            return false;
        }
    }
}
