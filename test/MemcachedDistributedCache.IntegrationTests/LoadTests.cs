using System.Diagnostics;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

public sealed class LoadTests(ThreeNodes nodes) : IClassFixture<ThreeNodes>
{
    private const int Callers = 64;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10);

    public static TheoryData<int> Seed => [Random.Shared.Next()];

    [MemcachedTheory]
    [MemberData(nameof(Seed))]
    public async Task Sixty_four_callers_read_what_they_wrote(int seed)
    {
        await using MemcachedCache cache = nodes.Cache();
        long started = Stopwatch.GetTimestamp();
        int[] operations = await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            // Each caller owns its keys, so it knows exactly what they hold.
            var random = new Random(HashCode.Combine(seed, caller));
            var versions = new int?[32];
            int count = 0;
            for (; Stopwatch.GetElapsedTime(started) < Duration; count++)
            {
                int slot = random.Next(versions.Length);
                int key = (caller * versions.Length) + slot;
                switch (random.Next(10))
                {
                    case < 3:
                        await cache.SetAsync(Name(key), KeyedValues.Create(key, count, Length(random)), Options(random));
                        versions[slot] = count;
                        break;
                    case 3:
                        await cache.RemoveAsync(Name(key));
                        versions[slot] = null;
                        break;
                    default:
                        byte[]? value = await cache.GetAsync(Name(key));
                        Assert.Equal(versions[slot], value is null ? null : KeyedValues.VersionOf(key, value));
                        break;
                }
            }

            return count;
        })));
        Assert.All(operations, count => Assert.True(count > 10));
        Assert.All(cache.GetNodes(), node => Assert.Equal(0, node.Errors));
    }

    [MemcachedTheory]
    [MemberData(nameof(Seed))]
    public async Task No_value_is_ever_wrong_while_the_network_fails_and_callers_cancel(int seed)
    {
        var proxies = new List<FaultProxy>();
        try
        {
            foreach (MemcachedProcess server in nodes.Servers)
            {
                proxies.Add(await FaultProxy.StartAsync(server.EndPoint));
            }

            await using MemcachedCache cache = Caches.On(proxies.Select(proxy => proxy.Server), options =>
            {
                options.FailureMode = MemcachedFailureMode.Degrade;
                options.OperationTimeout = TimeSpan.FromMilliseconds(150);
                options.ReconnectDelay = TimeSpan.FromMilliseconds(5);
                options.MaximumReconnectDelay = TimeSpan.FromMilliseconds(50);
            });
            using var stop = new CancellationTokenSource();
            Task faults = InjectAsync(proxies, new Random(seed), stop.Token);
            int[] hits = await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(() => CallAsync(cache, HashCode.Combine(seed, caller), 24))));
            await stop.CancelAsync();
            await faults;
            Assert.True(hits.Sum() > 1000, $"seed {seed}: {hits.Sum()} hits show nothing");
            Assert.True(cache.GetNodes().Sum(node => node.Errors) > 10, $"seed {seed}: no fault took effect");

            // And once the network is whole again, so is the cache.
            foreach (FaultProxy proxy in proxies)
            {
                await proxy.ApplyAsync(Fault.None);
            }

            await cache.TrustedAsync();
            for (int key = 0; key < 100; key++)
            {
                await cache.SetAsync(Name(key), KeyedValues.Create(key, -1, 10), new DistributedCacheEntryOptions());
                Assert.Equal(-1, KeyedValues.VersionOf(key, (await cache.GetAsync(Name(key)))!));
            }
        }
        finally
        {
            foreach (FaultProxy proxy in proxies)
            {
                await proxy.DisposeAsync();
            }
        }
    }

    private static async Task<int> CallAsync(MemcachedCache cache, int seed, int keys)
    {
        var random = new Random(seed);
        int hits = 0;
        long started = Stopwatch.GetTimestamp();
        for (int version = 0; Stopwatch.GetElapsedTime(started) < Duration; version++)
        {
            int key = random.Next(keys); // shared by all callers
            using CancellationTokenSource? cancel = random.Next(4) == 0 ? new CancellationTokenSource() : null;
            cancel?.CancelAfter(TimeSpan.FromMilliseconds(random.Next(4)));
            CancellationToken token = cancel?.Token ?? CancellationToken.None;
            try
            {
                switch (random.Next(10))
                {
                    case < 3:
                        await cache.SetAsync(Name(key), KeyedValues.Create(key, version, Length(random)), Options(random), token);
                        break;
                    case 3:
                        await cache.RemoveAsync(Name(key), token);
                        break;
                    default:
                        if (await cache.GetAsync(Name(key), token) is { } value)
                        {
                            hits++;
                            KeyedValues.VersionOf(key, value);
                        }

                        break;
                }
            }
            catch (OperationCanceledException) when (token.IsCancellationRequested)
            {
                // Asked for.
            }
        }

        return hits;
    }

    private static async Task InjectAsync(List<FaultProxy> proxies, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            FaultProxy proxy = proxies[random.Next(proxies.Count)];
            await proxy.ApplyAsync(random.Next(8) switch
            {
                0 => Fault.OnReplies(new StreamFault { Delay = TimeSpan.FromMilliseconds(random.Next(1, 30)) }),
                1 => Fault.OnReplies(new StreamFault { Stall = true }),
                2 => Fault.OnReplies(new StreamFault { CutAfterBytes = random.Next(5000), ResetOnCut = random.Next(2) == 0 }),
                3 => Fault.OnRequests(new StreamFault { CutAfterBytes = random.Next(5000), ResetOnCut = random.Next(2) == 0 }),
                4 => Fault.OnReplies(new StreamFault { DripBytes = 100, DripInterval = TimeSpan.FromMilliseconds(1) }),
                5 => Fault.Refuse,
                _ => Fault.None,
            });
            if (random.Next(4) == 0)
            {
                proxy.DropConnections(reset: random.Next(2) == 0);
            }

            await Task.Delay(random.Next(20, 200), CancellationToken.None);
            await proxy.ApplyAsync(Fault.None);
        }
    }

    private static string Name(int key) => "load " + key;

    private static int Length(Random random) => random.Next(20) switch
    {
        0 => random.Next(200_000),
        < 5 => random.Next(20_000),
        _ => random.Next(1000),
    };

    private static DistributedCacheEntryOptions Options(Random random) => random.Next(3) switch
    {
        0 => new DistributedCacheEntryOptions(),
        1 => new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) },
        _ => new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1), AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1) },
    };
}
