using System.Diagnostics;
using System.Net;
using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Embedded.Tests.Conformance;

/// <summary>Time: to the second on a clock that the test moves, and a few short lives on both servers' own clocks.</summary>
public sealed class ExpiryTests(ServerPair servers) : IClassFixture<ServerPair>
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData("set k 0 10 1\r\nx\r\n", 10)]
    [InlineData("ms k 1 T10\r\nx\r\n", 10)]
    [InlineData("set k 0 0 1\r\nx\r\ntouch k 10\r\n", 10)]
    [InlineData("set k 0 0 1\r\nx\r\ngat 10 k\r\n", 10)]
    [InlineData("set k 0 0 1\r\nx\r\nmg k T10\r\n", 10)]
    [InlineData("mg k N10\r\n", 10)]
    [InlineData("ma k N10\r\n", 10)]
    [InlineData("ma k N0\r\nma k T10\r\n", 10)]
    [InlineData("set k 0 0 1\r\nx\r\nmd k I T10\r\n", 10)]
    [InlineData("set k 0 1 1\r\nx\r\n", 1)]
    [InlineData("set k 0 2592000 1\r\nx\r\n", 2592000)]
    [InlineData("set k 0 1893456100 1\r\nx\r\n", 100)]
    public async Task An_item_lives_to_the_second_and_no_longer(string store, int seconds)
    {
        var clock = new ManualTimeProvider();
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: new EmbeddedMemcachedOptions { TimeProvider = clock });
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        await client.AskAsync(store);
        Assert.StartsWith($"HD t{seconds}", await client.AskAsync("mg k t\r\n"), StringComparison.Ordinal);
        clock.Advance((seconds * Second) - TimeSpan.FromMilliseconds(1));
        Assert.StartsWith("HD t1", await client.AskAsync("mg k t\r\n"), StringComparison.Ordinal);
        clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal("EN\r\n", await client.AskAsync("mg k t\r\n"));
    }

    [Fact]
    public async Task Recache_is_won_once_below_the_time_asked_for()
    {
        var clock = new ManualTimeProvider();
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: new EmbeddedMemcachedOptions { TimeProvider = clock });
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        await client.AskAsync("ms k 1 T60\r\nx\r\n");
        clock.Advance(30 * Second);
        Assert.Equal("HD t30\r\n", await client.AskAsync("mg k R30 t\r\n"));
        clock.Advance(Second);
        Assert.Equal("HD t29 W\r\n", await client.AskAsync("mg k R30 t\r\n"));
        Assert.Equal("HD t29 Z\r\n", await client.AskAsync("mg k R30 t\r\n"));
    }

    [Fact]
    public async Task Access_times_count_from_the_second_fetch_on()
    {
        var clock = new ManualTimeProvider();
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: new EmbeddedMemcachedOptions { TimeProvider = clock });
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        await client.AskAsync("ms k 1\r\nx\r\n");
        clock.Advance(7 * Second);
        Assert.Equal("HD h0 l7\r\n", await client.AskAsync("mg k h l\r\n"));
        Assert.Equal("HD h1 l7\r\n", await client.AskAsync("mg k h l\r\n"));
        Assert.Equal("HD h1 l0\r\n", await client.AskAsync("mg k h l u\r\n"));
        clock.Advance(5 * Second);
        Assert.Equal("HD h1 l5\r\n", await client.AskAsync("mg k h l u\r\n"));
        Assert.StartsWith("ME k exp=-1 la=5 cas=1 fetch=yes cls=1 size=61", await client.AskAsync("me k\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_delayed_flush_takes_what_was_stored_before_its_time()
    {
        var clock = new ManualTimeProvider();
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: new EmbeddedMemcachedOptions { TimeProvider = clock });
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        await client.AskAsync("set before 0 0 1\r\nx\r\nflush_all 10\r\n");
        clock.Advance(8 * Second);
        await client.AskAsync("set between 0 0 1\r\nx\r\n");
        Assert.Equal("VALUE before 0 1\r\nx\r\nVALUE between 0 1\r\nx\r\nEND\r\n", await client.AskAsync("get before between\r\n"));
        clock.Advance(2 * Second);
        await client.AskAsync("set after 0 0 1\r\nx\r\n");
        Assert.Equal("VALUE after 0 1\r\nx\r\nEND\r\n", await client.AskAsync("get before between after\r\n"));
    }

    [Fact]
    public Task Embedded_lets_short_lives_end() => LiveAndDieAsync(servers.Embedded, TimeSpan.FromSeconds(1.9));

    [MemcachedFact]
    public Task Real_memcached_lets_short_lives_end() => LiveAndDieAsync(servers.Real, TimeSpan.Zero);

    /// <summary>
    /// Three seconds end after two at the earliest on a clock of whole seconds. memcached's own ticks by a timer that a loaded
    /// machine delays, and a life counted from a late tick is shorter still, so only ours has a lower bound.
    /// </summary>
    private static async Task LiveAndDieAsync(IPEndPoint server, TimeSpan least)
    {
        using WireClient client = await WireClient.ConnectAsync(server);
        await ServerPair.ResetAsync(client);
        await client.AskAsync("set stays 0 0 1\r\nx\r\n");
        long start = Stopwatch.GetTimestamp();
        await client.AskAsync("set a 0 3 1\r\nx\r\nms b 1 T3\r\nx\r\nmg c N3\r\nma d N3\r\nset e 0 0 1\r\nx\r\ntouch e 3\r\n");
        foreach (string key in (string[])["a", "b", "c", "d", "e"])
        {
            while ((await client.AskAsync($"mg {key}\r\n")).StartsWith("HD", StringComparison.Ordinal))
            {
                Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(15), $"{key} outlived its time");
                await Task.Delay(20);
            }

            Assert.True(Stopwatch.GetElapsedTime(start) >= least, $"{key} died early");
        }

        Assert.Equal("HD\r\n", await client.AskAsync("mg stays\r\n"));
    }
}
