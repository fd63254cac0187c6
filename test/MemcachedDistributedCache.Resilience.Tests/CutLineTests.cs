using System.Diagnostics;
using System.Globalization;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>The line ends after N bytes, for every N of a whole exchange: handshake, store, read, removal, read.</summary>
[Trait("Machine", "Quiet")]
public sealed class CutLineTests
{
    private const int AtOnce = 32;
    private static readonly DistributedCacheEntryOptions Default = new();
    private static readonly TimeSpan OperationTimeout = TimeSpan.FromMilliseconds(250);

    [MemcachedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task However_far_an_exchange_gets_no_value_is_wrong_and_none_comes_back(bool onReplies)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        long length = await LengthOfExchangeAsync(server, onReplies);
        Assert.InRange(length, onReplies ? 1000 : 100, 10_000); // the server's settings are long
        int hits = 0;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, (int)length + 1),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (cut, _) =>
            {
                bool hit = await ExchangeAsync(server, onReplies, cut);
                Interlocked.Add(ref hits, hit ? 1 : 0);
                Assert.False(hit && cut == 0);
            });

        // Those cuts that came after the first read was answered.
        Assert.True(hits > 0);
    }

    private static async Task<bool> ExchangeAsync(MemcachedProcess server, bool onReplies, int cut)
    {
        var fault = new StreamFault { CutAfterBytes = cut, ResetOnCut = cut % 2 == 0 };
        await using FaultProxy proxy = await FaultProxy.StartAsync(
            server.EndPoint,
            onReplies ? Fault.OnReplies(fault) : Fault.OnRequests(fault),
            ct: CancellationToken.None);
        await using MemcachedCache cache = On(proxy);
        string key = "key" + cut.ToString(CultureInfo.InvariantCulture);
        byte[] value = KeyedValues.Create(cut, 1, 20);
        await cache.SetAsync(key, value, Default);
        byte[]? first = await cache.GetAsync(key);
        Assert.True(first is null || first.AsSpan().SequenceEqual(value), $"cut after {cut}");
        await cache.RemoveAsync(key);

        // Whether or not the removal arrived, the value is gone for this process, and stays so when the line is whole again.
        Assert.Null(await cache.GetAsync(key));
        await proxy.ApplyAsync(Fault.None);
        await cache.ReadableAsync();
        Assert.Null(await cache.GetAsync(key));
        byte[]? last = null;
        for (long started = Stopwatch.GetTimestamp(); last is null && Stopwatch.GetElapsedTime(started) < Eventually.Limit;)
        {
            // On a busy machine even a good line can take longer than the short limit.
            await cache.SetAsync(key, value, Default);
            last = await cache.GetAsync(key);
            await cache.ReadableAsync();
        }

        Assert.Equal(value, last);
        return first is not null;
    }

    private static async Task<long> LengthOfExchangeAsync(MemcachedProcess server, bool onReplies)
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(proxy, Eventually.Limit); // nothing is cut here, and each exchange is to be made once
        await cache.ReadableAsync();
        await cache.SetAsync("key0", KeyedValues.Create(0, 1, 20), Default);
        Assert.NotNull(await cache.GetAsync("key0"));
        await cache.RemoveAsync("key0");
        Assert.Null(await cache.GetAsync("key0"));
        return onReplies ? proxy.BytesToClient : proxy.BytesToServer;
    }

    private static MemcachedCache On(FaultProxy proxy, TimeSpan? limit = null) => new(new MemcachedCacheOptions
    {
        Servers = [proxy.Server],
        OperationTimeout = limit ?? OperationTimeout,
        ReconnectDelay = TimeSpan.FromMilliseconds(5),
        MaximumReconnectDelay = TimeSpan.FromMilliseconds(50),
    });
}
