using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>The core cases of this suite, on each way to reach a real memcached. Every value that is read is judged.</summary>
public sealed class WayTests(ITestOutputHelper output)
{
    private const int Callers = 64;
    private static readonly DistributedCacheEntryOptions Default = new();
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(0.15);

    [MemcachedTheory]
    [MemberData(nameof(Ways.All), MemberType = typeof(Ways))]
    public async Task Values_of_all_sizes_come_back_whole_to_callers_of_both_kinds(string way)
    {
        using var ways = new Ways(way);
        await using MemcachedProcess server = await ways.StartAsync();
        await using MemcachedCache cache = Caches.On([server.Server], options => ways.Reach(options));
        await Task.WhenAll(Enumerable.Range(0, 100).Select(async key =>
        {
            // Some of them are longer than a record of TLS, and than what is read at once.
            byte[] value = KeyedValues.Create(key, 1, key * key * 90);
            string name = "key " + key;
            if (key % 2 == 0)
            {
                await cache.SetAsync(name, value, Default);
                Assert.Equal(value, await Blocking.Run(() => cache.Get(name)));
            }
            else
            {
                await Blocking.Run(() =>
                {
                    cache.Set(name, value, Default);
                    return 0;
                });
            }

            Assert.Equal(value, await cache.GetAsync(name));
            await cache.RemoveAsync(name);
            Assert.Null(await cache.GetAsync(name));
        }));
        Assert.Equal(0, cache.GetNodes()[0].Errors);
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways.All), MemberType = typeof(Ways))]
    public async Task A_server_is_killed_and_frozen_under_64_callers(string way)
    {
        using var ways = new Ways(way);
        await using MemcachedProcess victim = await ways.StartAsync();
        await using MemcachedProcess other = await ways.StartAsync();
        await using MemcachedCache cache = On(ways, victim.Server, other.Server);
        await using CallerGroup callers = await StartAsync(cache);
        for (int round = 0; round < 2; round++)
        {
            await callers.RateAsync(Moment, 0);
            await victim.KillAsync();
            await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
            await callers.RateAsync(Moment, 0);
            await victim.StartAgainAsync();
            await ServesAsync(cache);
            victim.Freeze();
            await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
            await callers.RateAsync(Moment, 0);
            victim.Thaw();
            await ServesAsync(cache);
        }

        await callers.StopAsync();
        await cache.ReadableAsync();
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways.OfTcp), MemberType = typeof(Ways))]
    public async Task The_line_is_cut_and_filled_with_garbage_under_64_callers(string way)
    {
        using var ways = new Ways(way);
        await using MemcachedProcess server = await ways.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(ways, proxy.Server);
        await using CallerGroup callers = await StartAsync(cache);
        var garbage = new byte[] { 0x17, 0x03, 0x03, 0x00, 0x05, 1, 2, 3, 4, 5 };
        StreamFault[] faults =
        [
            new() { CutAfterBytes = 0 },
            new() { CutAfterBytes = 700, ResetOnCut = true },
            new() { CutAfterBytes = 20_000 },
            new() { CorruptByteAt = 0 },
            new() { CorruptByteAt = 3 },
            new() { CorruptByteAt = 900 },
            new() { CorruptByteAt = 30_000 },
            new() { Insert = garbage },
            new() { Insert = "VALUE a 0 1\r\nx\r\n"u8.ToArray() },
            new() { Replace = garbage },
            new() { Duplicate = true },
            new() { DripBytes = 1, DripInterval = TimeSpan.FromMilliseconds(1) },
        ];
        foreach (Fault fault in faults.SelectMany(static fault => new[] { Fault.OnReplies(fault), Fault.OnRequests(fault) }))
        {
            // Without TLS nothing tells damaged bytes from others. The ways by TLS differ in their beginning alone, so one of them has every fault.
            if (way == "tls" || fault is { ToClient.CutAfterBytes: not null } or { ToServer.CutAfterBytes: not null })
            {
                await proxy.ApplyAsync(fault);
                await callers.RateAsync(Moment, 0);
                await proxy.ApplyAsync(Fault.None);
                await ServesAsync(cache);
            }
        }

        await callers.StopAsync();
        await cache.ReadableAsync();
    }

    [MemcachedFact]
    public async Task The_stream_inside_of_TLS_is_cut_reset_stalled_and_filled_with_garbage_under_64_callers()
    {
        using var ways = new Ways("auth tls");
        await using MemcachedProcess server = await ways.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint, tls: ways.Inside());
        await using var cache = new MemcachedCache(ways.Reach(new MemcachedCacheOptions { Servers = [proxy.Server] }), new RecordingLogger());
        await using CallerGroup callers = await StartAsync(cache);
        StreamFault[] faults =
        [
            new() { CutAfterBytes = 5 },
            new() { CutAfterBytes = 700, ResetOnCut = true },
            new() { Insert = "?!\r\n"u8.ToArray() },
            new() { Insert = "VALUE a 0 1\r\nx\r\n"u8.ToArray() },
            new() { Stall = true },
        ];
        foreach (StreamFault fault in faults)
        {
            long ended = proxy.ConnectionsAccepted;
            await proxy.ApplyAsync(Fault.OnReplies(fault));
            await callers.RateAsync(Moment, 0);
            await Eventually.True(() => proxy.ConnectionsAccepted > ended || cache.GetNodes()[0].State == MemcachedNodeState.Down, "the fault is met");
            await proxy.ApplyAsync(Fault.None);
            await ServesAsync(cache);
        }

        await callers.StopAsync();
        await cache.ReadableAsync();
    }

    [MemcachedTheory]
    [InlineData("tls")]
    public async Task Synchronous_calls_need_no_thread_of_the_pool(string way)
    {
        using var ways = new Ways(way);
        await using MemcachedProcess server = await ways.StartAsync();
        for (int i = 0; i < 3; i++)
        {
            await WorkerProcess.RunAsync("starve", server.Server, ways.CaFile);
        }
    }

    private static async Task ServesAsync(MemcachedCache cache)
    {
        long hits = cache.GetNodes()[0].Hits;
        await Eventually.True(() => cache.GetNodes()[0].Hits > hits, "the node serves again");
    }

    /// <summary>With short pauses before it connects again, which the faults would lengthen from one to the next.</summary>
    private static MemcachedCache On(Ways ways, params string[] servers) => new(
        ways.Reach(new MemcachedCacheOptions
        {
            Servers = servers,
            ReconnectDelay = TimeSpan.FromMilliseconds(20),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(200),
        }),
        new RecordingLogger());

    private async Task<CallerGroup> StartAsync(MemcachedCache cache)
    {
        int seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        return await CallerGroup.StartAsync(cache, Callers, firstUnpaced: cache.GetNodes().Count, seed);
    }
}
