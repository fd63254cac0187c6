using System.Diagnostics;
using System.Text;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// Replies that are none: whatever comes, no caller gets what is not its own, none waits beyond its limit, and it goes
/// on.
/// </summary>
public sealed class LyingServerTests
{
    private static readonly DistributedCacheEntryOptions Default = new();
    private static readonly TimeSpan OperationTimeout = TimeSpan.FromSeconds(2);

    /// <summary>What goes wrong with the replies of a real server, all of which end the connection.</summary>
    public static TheoryData<string> Spoilers
        => ["garbage", "two replies", "a foreign reply", "an error", "a line without an end", "half a reply", "half a value", "silence"];

    [MemcachedTheory]
    [MemberData(nameof(Spoilers))]
    public async Task Replies_that_are_spoilt_on_the_way_are_misses_and_the_next_are_right(string spoiler)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(proxy.Server);
        await using (MemcachedCache patient = On(server.Server, limit: Eventually.Limit))
        {
            for (int key = 0; key < 50; key++)
            {
                await patient.SetAsync(Name(key), KeyedValues.Create(key, 1, key), Default);
            }
        }

        await Eventually.True(
            () => cache.Get(Name(0)) is not null && cache.GetAsync(Name(0)).WaitAsync(Eventually.Limit).GetAwaiter().GetResult() is not null,
            "both connections are open");
        await proxy.ApplyAsync(
            Fault.OnReplies(
                spoiler switch
                {
                    "garbage" => new StreamFault { Replace = Encoding.ASCII.GetBytes("\0\u0001GET / HTTP/1.1\r\n") },
                    "two replies" => new StreamFault { Duplicate = true },
                    "a foreign reply" => new StreamFault { Insert = Encoding.ASCII.GetBytes("VA 3 O4000000000\r\nxyz\r\n") },
                    "an error" => new StreamFault { Insert = Encoding.ASCII.GetBytes("SERVER_ERROR out of luck\r\n") },
                    "a line without an end" => new StreamFault { Replace = Encoding.ASCII.GetBytes("V") },
                    "half a reply" => new StreamFault { CutAfterBytes = 4 },
                    "half a value" => new StreamFault { CutAfterBytes = 40 },
                    _ => new StreamFault { Stall = true },
                }));
        using var machine = new MachinePauses();
        long started = Stopwatch.GetTimestamp();
        byte[]?[] values = await Task.WhenAll(
                Enumerable.Range(0, 50).Select(key => key % 10 == 9 ? Blocking.Run(() => cache.Get(Name(key))) : cache.GetAsync(Name(key))))
            .WaitAsync(Eventually.Limit);
        TimeSpan took = Stopwatch.GetElapsedTime(started);
        Assert.True(
            took < (OperationTimeout * 2) + (2 * machine.Longest),
            $"{took}: nobody waits beyond the limit; the machine paused for {machine.Longest} at most");

        // A reply that came before the lie is a reply; what came after is nobody's.
        Assert.All(values.Index(), read => Assert.True(read.Item is null || KeyedValues.VersionOf(read.Index, read.Item) == 1));
        if (spoiler != "two replies")
        {
            // Replies that came together are doubled together: all may be there before the first that is one too many.
            Assert.True(values.Count(static value => value is null) >= 40, $"{values.Count(static value => value is null)} misses");
            await Eventually.True(() => cache.GetNodes()[0].Errors >= 40, "the errors are counted"); // which a scan does once for all that it timed out
        }

        // Held replies belong to connections that are given up; what they carry once they are let go meets nobody.
        proxy.DropConnections();
        await proxy.ApplyAsync(Fault.None);
        await Eventually.True(
            () => cache.Get(Name(0)) is not null && cache.GetAsync(Name(0)).WaitAsync(Eventually.Limit).GetAwaiter().GetResult() is not null,
            "it is read again");
        for (int key = 0; key < 50; key++)
        {
            Assert.Equal(1, KeyedValues.VersionOf(key, await cache.GetAsync(Name(key))));
            Assert.Equal(1, KeyedValues.VersionOf(key, cache.Get(Name(key))));
        }

        Assert.True(proxy.ConnectionsAccepted >= 3, "the connection that carried a lie was not used again");
    }

    public static TheoryData<string> Answers => new()
    {
        "VA 5 {0}\r\nvalue too long\r\n",
        "VA 5 {0}\r\nval\r\nHD {0}\r\n",
        "VA 4294967295 {0}\r\n",
        "VA 1048577 {0}\r\nvalue",
        "VA -1 {0}\r\n\r\n",
        "VA 5 O999999\r\nvalue\r\n",
        "VA 5\r\nvalue\r\n",
        "HD {0}\r\n",
        "MN\r\n",
        "EN {0}\r\nEN {0}\r\n",
        "\r\n",
        "{0}",
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task An_answer_that_is_none_ends_the_connection_and_is_a_miss(string answer)
    {
        int lies = 1;
        await using var server = new ScriptedServer(token =>
            Interlocked.Exchange(ref lies, 0) == 1 ? string.Format(answer, token) : $"VA 5 {token}\r\nvalue\r\n");
        await using MemcachedCache cache = On(server.Server);
        using var machine = new MachinePauses();
        long started = Stopwatch.GetTimestamp();
        Assert.Null(await cache.GetAsync("key").WaitAsync(Eventually.Limit));
        TimeSpan took = Stopwatch.GetElapsedTime(started);
        Assert.True(took < (OperationTimeout * 2) + (2 * machine.Longest), $"{took}; the machine paused for {machine.Longest} at most");
        byte[]? value = null;
        await Eventually.True(
            () => (value = cache.GetAsync("key").WaitAsync(Eventually.Limit).GetAwaiter().GetResult()) is not null,
            "the next connection is a good one");
        Assert.Equal("value", Encoding.ASCII.GetString(value!));

        // The end of a connection so young marks the node down, which may come after the next one has been asked.
        await cache.ReadableAsync();
        Assert.Equal("value", Encoding.ASCII.GetString((await cache.GetAsync("key"))!));
        Assert.InRange(server.Accepted, 2, 3); // where caller and recovery connect at the same moment, one of the two is given up
    }

    [Fact]
    public async Task A_server_that_greets_and_then_says_nothing_costs_its_limit_and_then_nothing()
    {
        bool speaks = false;
        TimeSpan limit = TimeSpan.FromMilliseconds(300);
        await using var server = new ScriptedServer(token => Volatile.Read(ref speaks) ? $"VA 5 {token}\r\nvalue\r\n" : null);
        await using MemcachedCache cache = On(server.Server, limit: limit);
        using var machine = new MachinePauses();
        int slow = 0;
        bool hasWaited = false;
        for (long started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < limit * 5;)
        {
            long asked = Stopwatch.GetTimestamp();
            Assert.All(await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => cache.GetAsync("key"))).WaitAsync(Eventually.Limit), Assert.Null);
            TimeSpan took = Stopwatch.GetElapsedTime(asked);
            TimeSpan paused = machine.LongestSince(asked);
            Assert.True(took < TimeSpan.FromSeconds(1) + (2 * paused), $"{took}; the machine paused for {paused} at most");

            // What the machine did to them is not the server's doing.
            slow += took - (2 * paused) > limit / 2 ? 1 : 0;
            hasWaited |= took > limit / 2;
            await Task.Delay(1);
        }

        Assert.True(hasWaited, "somebody has waited for the limit");
        Assert.InRange(slow, 0, 5);
        Volatile.Write(ref speaks, true);
        await Eventually.True(() => cache.GetAsync("key").WaitAsync(Eventually.Limit).GetAwaiter().GetResult() is not null, "the server has found its voice");
        await cache.QuietAsync();
    }

    [Theory]
    [InlineData("1.4.14", MemcachedProtocol.Auto, "1.4.15 or newer is needed")]
    [InlineData("1.2.8", MemcachedProtocol.Auto, "1.4.15 or newer is needed")]
    [InlineData("1.5.22", MemcachedProtocol.Meta, "1.6.10 or newer is needed")]
    [InlineData("1.6.9", MemcachedProtocol.Meta, "1.6.10 or newer is needed")]
    public async Task A_server_that_is_too_old_is_named_and_hears_nothing_but_the_handshake(
        string version,
        MemcachedProtocol protocol,
        string needed)
    {
        var logger = new RecordingLogger();
        await using var server = new ScriptedServer(static _ => "ERROR\r\n", $"VERSION {version}\r\nSTAT item_size_max 1048576\r\nEND\r\n");
        await using MemcachedCache cache = On(server.Server, logger, TimeSpan.FromSeconds(1), protocol);

        // A value that such a server would take for its next commands.
        await cache.SetAsync("key", "flush_all\r\n"u8.ToArray(), Default);
        cache.Set("key", "flush_all\r\n"u8.ToArray(), Default);
        Assert.Null(await cache.GetAsync("key"));
        await Eventually.True(() => server.Accepted >= 3, "it is tried again");
        await logger.SeesAsync($"memcached {server.Server} is down: it is memcached {version}, and {needed}", 1);
        Assert.Equal(MemcachedNodeState.Down, cache.GetNodes()[0].State);
        Assert.Empty(server.Heard.Split('\n', StringSplitOptions.RemoveEmptyEntries).Except(["version", "stats settings", "mn"]));
    }

    private static MemcachedCache On(
        string server,
        RecordingLogger? logger = null,
        TimeSpan? limit = null,
        MemcachedProtocol protocol = MemcachedProtocol.Auto) => new(
        new MemcachedCacheOptions
        {
            Servers = [server],
            Protocol = protocol,
            OperationTimeout = limit ?? OperationTimeout,
            ConnectTimeout = limit ?? Eventually.Limit,
            MaximumRetries = 0, // each attempt is judged by itself
            ReconnectDelay = TimeSpan.FromMilliseconds(10),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(100),
        },
        logger);

    private static string Name(int key) => "lie " + key;
}
