using System.Text;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>
/// Servers that are asked by classic commands: because an option says so, or because they are old. With
/// <c>MEMCACHED_TEST_PROTOCOL=Classic</c> every other test of this project is one of these, too.
/// </summary>
public sealed class ClassicTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    private readonly ThreeNodes _nodes = nodes;

    public static TheoryData<EmbeddedMemcachedRelease> Releases => [.. Enum.GetValues<EmbeddedMemcachedRelease>()];

    [MemcachedTheory]
    [InlineData(MemcachedProtocol.Auto, false)]
    [InlineData(MemcachedProtocol.Meta, false)]
    [InlineData(MemcachedProtocol.Classic, true)]
    public async Task The_option_decides_by_which_commands_a_server_is_asked(MemcachedProtocol protocol, bool isClassic)
    {
        Instance one = Make(1, options => Set(options, protocol))[0];
        foreach (int i in Enumerable.Range(0, 20))
        {
            await one.Below.SetAsync("key" + i, [1, 2, 3], new());
            Assert.Equal([1, 2, 3], await one.Below.GetAsync("key" + i));
            Assert.Equal([1, 2, 3], one.Below.Get("key" + i));
        }

        string[] up = [.. one.Logger.Texts(LogLevel.Information).Where(static message => message.Contains(" is up", StringComparison.Ordinal))];
        Assert.NotEmpty(up);
        Assert.All(up, message => Assert.Equal(isClassic, message.Contains("classic commands", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(EmbeddedMemcachedRelease.Release1522)]
    [InlineData(EmbeddedMemcachedRelease.Release169)]
    public async Task An_old_server_is_refused_where_meta_commands_are_demanded(EmbeddedMemcachedRelease release)
    {
        await using EmbeddedMemcached servers = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions { Release = release });
        await using MemcachedCache cache = Caches.On(servers.Servers, static options => options.Protocol = MemcachedProtocol.Meta);
        MemcachedUnavailableException exception = await Assert.ThrowsAsync<MemcachedUnavailableException>(() => cache.SetAsync("key", [1], new()));
        Assert.Contains("Set Protocol to Auto", exception.Message, StringComparison.Ordinal);
        Assert.Equal(0, servers.Nodes[0].ItemCount);
    }

    [Theory]
    [MemberData(nameof(Releases))]
    public async Task A_cache_finds_out_what_a_server_of_any_release_takes(EmbeddedMemcachedRelease release)
    {
        await using EmbeddedMemcached servers = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions { Nodes = 3, Release = release });
        await using MemcachedCache cache = Caches.On(servers.Servers, static options => options.Protocol = MemcachedProtocol.Auto);
        var sliding = new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) };
        for (int i = 0; i < 50; i++)
        {
            // A value that would be a command to a server that is asked in the wrong way.
            byte[] value = Encoding.ASCII.GetBytes($"flush_all\r\n{i}");
            await cache.SetAsync("async" + i, value, sliding);
            cache.Set("sync" + i, value, new());
        }

        for (int i = 0; i < 50; i++)
        {
            string value = $"flush_all\r\n{i}";
            Assert.Equal(value, Encoding.ASCII.GetString((await cache.GetAsync("async" + i))!));
            Assert.Equal(value, Encoding.ASCII.GetString(cache.Get("sync" + i)!));
        }

        await cache.RefreshAsync("async1");
        cache.Refresh("async2");
        await cache.RemoveAsync("async1");
        Assert.Null(await cache.GetAsync("async1"));
        Assert.True(await cache.TryAddAsync("async1", new System.Buffers.ReadOnlySequence<byte>([1]), new()));
        Assert.False(await cache.TryAddAsync("async1", new System.Buffers.ReadOnlySequence<byte>([2]), new()));
        Assert.Equal([1], await cache.GetAsync("async1"));
        Assert.All(cache.GetNodes(), static node => Assert.Equal((0L, MemcachedNodeState.Up), (node.Errors, node.State)));
        Assert.All(await cache.PingAsync(Eventually.Limit), static ping => Assert.NotNull(ping.RoundTrip));
    }

    [Theory]
    [MemberData(nameof(Releases))]
    public async Task What_many_ask_before_the_first_connection_is_open_is_answered(EmbeddedMemcachedRelease release)
    {
        await using EmbeddedMemcached servers = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions { Release = release });
        for (int round = 0; round < 20; round++)
        {
            await using MemcachedCache cache = Caches.On(servers.Servers, static options => options.Protocol = MemcachedProtocol.Auto);
            await Task.WhenAll(Enumerable.Range(0, 64).Select(async i =>
            {
                byte[] value = new byte[i % 4 == 0 ? 50_000 : 10 * i];
                value.AsSpan().Fill((byte)i);
                await cache.SetAsync("key" + i, value, new());
                Assert.Equal(value, await cache.GetAsync("key" + i));
            })).WaitAsync(Eventually.Limit);
            Assert.Equal(0, cache.GetNodes()[0].Errors);
        }
    }

    [MemcachedTheory]
    [InlineData(MemcachedProtocol.Classic, MemcachedProtocol.Classic)]
    [InlineData(MemcachedProtocol.Classic, MemcachedProtocol.Meta)]
    [InlineData(MemcachedProtocol.Meta, MemcachedProtocol.Classic)]
    public async Task Processes_keep_their_promises_to_each_other_whichever_commands_they_use(MemcachedProtocol first, MemcachedProtocol second)
    {
        string space = Instance.Space();
        string[] servers = [.. _nodes.Servers.Select(static server => server.Server)];
        await using Instance one = Instance.On(servers, space, options => Set(options, first));
        await using Instance other = Instance.On(servers, space, options => Set(options, second));
        int runs = 0;
        var go = new TaskCompletionSource();
        async ValueTask<int> Make(CancellationToken token)
        {
            await go.Task.WaitAsync(token);
            return Interlocked.Increment(ref runs);
        }

        // One factory run, by a lease that is renewed meanwhile.
        Task<int> made = one.Get("key", Make).AsTask();
        await Eventually.True(() => one.Statistics.LeasesWon == 1, "the lease is won");
        Task<int>[] waiting = [.. Enumerable.Range(0, 10).Select(_ => other.Get("key", Make).AsTask())];
        await Eventually.True(() => other.Statistics.LeasesWaitedFor > 0, "the others wait");
        await Task.Delay(TimeSpan.FromSeconds(4));
        go.SetResult();
        Assert.Equal(1, await made.WaitAsync(Eventually.Limit));
        Assert.All(await Task.WhenAll(waiting).WaitAsync(Eventually.Limit), static value => Assert.Equal(1, value));
        Assert.Equal((1, 0L), (runs, one.Statistics.LeasesLost));

        // A removal, and a tag.
        await one.Cache.RemoveAsync("key");
        Assert.Equal(0, await other.PeekCluster<int>("key"));
        await one.Cache.SetAsync("tagged", 5, tags: ["tag"]);
        Assert.Equal(5, await other.PeekCluster<int>("tagged"));
        await other.Cache.RemoveByTagAsync("tag");
        Assert.Equal(0, await other.PeekCluster<int>("tagged"));
        await Eventually.True(async () => await one.PeekCluster<int>("tagged") == 0, "the tag's new version is read");

        // A removal while a factory runs wins over its value.
        var end = new TaskCompletionSource();
        Task<int> late = one.Get("late", async token => { await end.Task.WaitAsync(token); return 9; }).AsTask();
        await Eventually.True(() => one.Statistics.LeasesWon >= 2, "the lease is won");
        await other.Cache.RemoveAsync("late");
        end.SetResult();
        Assert.Equal(9, await late.WaitAsync(Eventually.Limit));
        Assert.Equal(0, await other.PeekCluster<int>("late"));
    }

    [MemcachedTheory]
    [InlineData("mg", " N0 v")] // as a lease that a process with meta commands has won, but without an end
    [InlineData("ms", " 0 T0 F0\r\n")]
    [InlineData("ms", null)] // as one that was renewed
    public async Task What_is_nobodys_lease_is_replaced_once_no_lease_could_be_so_old(string verb, string? rest)
    {
        Instance one = Make(1, static options => Set(options, MemcachedProtocol.Classic))[0];
        byte[] key = one.Cache.Parts.Keys.Encode("key", HybridSpace.Entry);
        foreach (MemcachedProcess each in _nodes.Servers)
        {
            await Wire.AskAsync(each, verb, key, rest ?? $" 0 T0 F{Lease.Flags}\r\n");
        }

        Assert.Equal("value", await one.Get("key", static _ => new ValueTask<string>("value")).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal("value", await one.PeekCluster<string>("key"));
    }

    [ServerClockFact]
    public async Task A_sliding_read_sends_at_most_one_touch_a_second_and_keeps_the_entry()
    {
        DateTimeOffset start = new(2030, 1, 1, 12, 0, 0, TimeSpan.Zero);
        var clock = new ManualTimeProvider(start);
        await using var serverClock = new ServerClock(start);
        MemcachedProcess server = await serverClock.StartAsync();
        await using MemcachedCache cache = Caches.On([server.Server], static options =>
        {
            options.IdleTimeout = Timeout.InfiniteTimeSpan;
            options.Protocol = MemcachedProtocol.Classic;
        }, clock, clock);
        await cache.SetAsync("key", [1], new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromSeconds(10) });
        for (int second = 0; second < 15; second++)
        {
            long touches = long.Parse((await server.StatsAsync())["cmd_touch"]);
            await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
            {
                for (int i = 0; i < 20; i++)
                {
                    Assert.NotNull(await cache.GetAsync("key"));
                }
            }));
            await cache.QuietAsync();
            Assert.Equal(1, long.Parse((await server.StatsAsync())["cmd_touch"]) - touches);
            clock.Jump(TimeSpan.FromSeconds(1));
            await serverClock.AdvanceAsync(TimeSpan.FromSeconds(1));
        }
    }

    private static void Set(MemcachedCacheOptions options, MemcachedProtocol protocol)
    {
        options.Protocol = protocol;
        options.Hybrid.LeaseTime = TimeSpan.FromSeconds(3);
    }
}
