using System.Buffers;
using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>What is built on the cache: views with keys of their own, entries that are added, and signs of life.</summary>
public sealed class PartitionTests(ThreeNodes nodes) : IClassFixture<ThreeNodes>
{
    private static readonly DistributedCacheEntryOptions Default = new();
    private static readonly TimeSpan Patient = TimeSpan.FromSeconds(10);

    [MemcachedFact]
    public async Task A_partition_shares_the_connections_and_no_key()
    {
        await using MemcachedCache cache = nodes.Cache();
        MemcachedCache pages = cache.CreatePartition("pages");
        MemcachedCache others = cache.CreatePartition("others");
        foreach (string key in (string[])["a", "#a", "pages\0a", "GET\x1eHTTP\x1eHOST/PATH"])
        {
            await pages.SetAsync(key, [1], Default);
            Assert.Null(await cache.GetAsync(key));
            Assert.Null(await others.GetAsync(key));
            await cache.SetAsync(key, [2], Default);
            Assert.Equal(new byte[] { 1 }, await pages.GetAsync(key));
            Assert.Equal(new byte[] { 1 }, await cache.CreatePartition("pages").GetAsync(key));
        }

        Assert.Equal(cache.GetNodes().Sum(static node => node.Hits), pages.GetNodes().Sum(static node => node.Hits));
        Assert.ThrowsAny<ArgumentException>(() => cache.CreatePartition("a b"));

        // Ending a view ends nothing.
        await pages.DisposeAsync();
        others.Dispose();
        Assert.Equal(new byte[] { 2 }, await cache.GetAsync("a"));
    }

    [MemcachedFact]
    public async Task A_partition_has_its_own_failure_mode_and_oversize_behaviour()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On([server.Server], static options =>
        {
            options.FailureMode = MemcachedFailureMode.Degrade;
            options.OversizeBehavior = MemcachedOversizeBehavior.Skip;
        });
        MemcachedCache strict = cache.CreatePartition("strict", MemcachedFailureMode.Throw);
        byte[] large = new byte[2 * 1024 * 1024];
        await cache.SetAsync("a", large, Default);
        await Assert.ThrowsAsync<MemcachedValueTooLargeException>(() => strict.SetAsync("a", large, Default));
        await server.KillAsync();
        Assert.Null(await cache.GetAsync("a"));
        MemcachedUnavailableException thrown = await Assert.ThrowsAsync<MemcachedUnavailableException>(async () =>
            await strict.TryAddAsync("a", One(1), Default));
        Assert.Equal("Add", thrown.Operation);
        Assert.False(await cache.TryAddAsync("a", One(1), Default));
    }

    [MemcachedFact]
    public async Task Of_many_that_add_one_succeeds()
    {
        await using MemcachedCache cache = nodes.Cache();
        for (int round = 0; round < 20; round++)
        {
            string key = "add" + round;
            bool[] added = await Task.WhenAll(
                Enumerable
                    .Range(0, 32)
                    .Select(n =>
                        Task.Run(async () =>
                            await cache.TryAddAsync(key, One((byte)n), new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) }))));
            int winner = Array.IndexOf(added, true);
            Assert.Equal(1, added.Count(static a => a));
            Assert.Equal(new[] { (byte)winner }, await cache.GetAsync(key));
            await cache.RemoveAsync(key);
            Assert.True(await cache.TryAddAsync(key, One(99), Default));
        }

        Assert.False(await cache.TryAddAsync("past", One(1), new() { AbsoluteExpiration = DateTimeOffset.UnixEpoch }));
        await cache.SetAsync("there", [7], Default);
        await Assert.ThrowsAsync<MemcachedValueTooLargeException>(async () =>
            await cache.TryAddAsync("there", new ReadOnlySequence<byte>(new byte[3 * 1024 * 1024]), Default));
        Assert.Equal(new byte[] { 7 }, await cache.GetAsync("there"));
    }

    [MemcachedFact]
    public async Task Every_server_is_asked_for_a_sign_of_life()
    {
        await using MemcachedCache cache = nodes.Cache();
        IReadOnlyList<MemcachedNodePing> pings = await cache.PingAsync(Patient);
        Assert.Equal(nodes.Servers.Select(static server => server.Server), pings.Select(static ping => ping.Server));
        Assert.All(pings, static ping => Assert.Null(ping.Failure));
        Assert.All(pings, static ping => Assert.InRange(ping.RoundTrip!.Value, TimeSpan.FromTicks(1), Patient));
        Assert.All(pings, static ping => Assert.StartsWith("1.", ping.ServerVersion, StringComparison.Ordinal));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => cache.PingAsync(TimeSpan.Zero));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cache.PingAsync(Patient, new CancellationToken(true)));
    }

    [MemcachedFact]
    public async Task A_server_that_hangs_is_waited_for_as_long_as_said_and_one_that_is_down_not_at_all()
    {
        await using MemcachedProcess well = await MemcachedProcess.StartAsync();
        await using MemcachedProcess frozen = await MemcachedProcess.StartAsync();
        await using MemcachedProcess dead = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On([well.Server, frozen.Server, dead.Server]);
        Assert.All(await cache.PingAsync(Patient), static ping => Assert.Null(ping.Failure));

        await dead.KillAsync();
        await Eventually.True(() => cache.GetNodes()[2].State == MemcachedNodeState.Down, "the node is down");
        frozen.Freeze();
        long errors = cache.GetNodes()[2].Errors;
        long started = Stopwatch.GetTimestamp();
        IReadOnlyList<MemcachedNodePing> pings = await cache.PingAsync(TimeSpan.FromMilliseconds(300));
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(5));
        Assert.Equal([null, MemcachedFailureReason.TimedOut, MemcachedFailureReason.Unavailable], pings.Select(static ping => ping.Failure));
        Assert.Equal(errors, cache.GetNodes()[2].Errors);

        frozen.Thaw();
        await dead.StartAgainAsync();
        await Eventually.True(() => cache.GetNodes()[2].State == MemcachedNodeState.Up, "the node is up");
        Assert.All(await cache.PingAsync(Patient), static ping => Assert.Null(ping.Failure));
    }

    private static ReadOnlySequence<byte> One(byte value) => new([value]);
}
