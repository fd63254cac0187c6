using System.Diagnostics;
using System.Net.Sockets;
using System.Net;
using System.Text;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Servers that are away, slow, frozen, too old, or not memcached at all.</summary>
[Trait("Machine", "Quiet")]
public sealed class OutageTests
{
    private static readonly DistributedCacheEntryOptions Default = new();

    /// <summary>For tests that wait for it; a machine that is busy elsewhere must still answer within.</summary>
    private static readonly TimeSpan OperationLimit = TimeSpan.FromSeconds(1);

    [MemcachedFact]
    public async Task A_killed_node_is_a_miss_at_once_is_logged_once_and_comes_back()
    {
        var logger = new RecordingLogger();
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = On(logger, static options => options.Failover = MemcachedFailover.None, first.Server, second.Server);
        for (int i = 0; i < 50; i++)
        {
            await cache.SetAsync("key" + i, [(byte)i], Default);
        }

        await first.KillAsync();
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        int found = 0;
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < 50; i++)
        {
            byte[]? value = await cache.GetAsync("key" + i);
            Assert.True(value is null || value[0] == i);
            found += value is null ? 0 : 1;
            await cache.SetAsync("key" + i, [(byte)i], Default);
            await cache.RemoveAsync("missing" + i);
            Assert.Equal(value is null, cache.Get("key" + i) is null);
        }

        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5), "200 operations, half of them on a dead node, take no time");
        Assert.InRange(found, 10, 40);
        Assert.True(cache.GetNodes()[0].Errors > 0);
        Assert.Equal(0, cache.GetNodes()[1].Errors);
        await logger.SeesAsync($"memcached {first.Server} is down", 1);

        await first.StartAgainAsync();
        await cache.ReadableAsync();
        for (int i = 0; i < 50; i++)
        {
            await cache.SetAsync("key" + i, [(byte)i], Default);
            Assert.Equal(new[] { (byte)i }, await cache.GetAsync("key" + i));
            Assert.Equal(new[] { (byte)i }, cache.Get("key" + i));
        }

        await logger.SeesAsync($"memcached {first.Server} is up", 2);
        await logger.SeesAsync($"memcached {first.Server} is down", 1);
    }

    [MemcachedFact]
    public async Task A_late_reply_is_dropped_and_the_connection_goes_on()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(new RecordingLogger(), proxy.Server);
        await cache.SetAsync("a", [1], Default);
        await cache.SetAsync("b", [2], Default);
        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        using (var cancel = new CancellationTokenSource())
        {
            Task<byte[]?> read = cache.GetAsync("a", cancel.Token);
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        }

        Task<byte[]?> late = cache.GetAsync("b");
        await proxy.ApplyAsync(Fault.None);
        Assert.Equal(new byte[] { 2 }, await late);
        Assert.Equal(new byte[] { 1 }, await cache.GetAsync("a"));
        Assert.Equal(1, proxy.ConnectionsAccepted);
    }

    [MemcachedFact]
    public async Task Throw_mode_says_what_failed_where_and_whether_it_was_sent()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = On(new RecordingLogger(), options =>
        {
            options.FailureMode = MemcachedFailureMode.Throw;
            options.OperationTimeout = OperationLimit;
        }, proxy.Server);
        await cache.SetAsync("key", [1], Default);

        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        var slow = await Assert.ThrowsAsync<MemcachedUnavailableException>(() => cache.SetAsync("key", [2], Default));
        Assert.Equal((MemcachedFailureReason.TimedOut, true, "Set", proxy.Server), (slow.Reason, slow.WasSent, slow.Operation, slow.Server));

        await proxy.ApplyAsync(Fault.Refuse);
        proxy.DropConnections(reset: true);
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        var down = await Assert.ThrowsAsync<MemcachedUnavailableException>(() => cache.GetAsync("key"));
        Assert.Equal((MemcachedFailureReason.Unavailable, false, "Get"), (down.Reason, down.WasSent, down.Operation));
        Assert.NotSame(down, await Assert.ThrowsAsync<MemcachedUnavailableException>(() => cache.GetAsync("key")));
        Assert.Throws<MemcachedUnavailableException>(() => cache.Remove("key"));
    }

    [MemcachedFact]
    public async Task A_logger_that_throws_or_waits_for_the_cache_changes_nothing()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        MemcachedCache? cache = null;
        var options = new MemcachedCacheOptions
        {
            Servers = [proxy.Server],
            OperationTimeout = TimeSpan.FromMilliseconds(200),
            ReconnectDelay = TimeSpan.FromMilliseconds(20),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(200),
        };
        var logger = new RecordingLogger(_ => throw new InvalidOperationException($"no log today, {cache?.Get("log")?.Length} bytes"));
        await using (cache = new MemcachedCache(options, logger))
        {
            await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
            for (int i = 0; i < 5; i++)
            {
                Assert.Null(await cache.GetAsync("key").WaitAsync(Eventually.Limit));
            }

            await proxy.ApplyAsync(Fault.Refuse);
            proxy.DropConnections(reset: true);
            await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
            await proxy.ApplyAsync(Fault.None);
            await cache.ReadableAsync();
            await cache.SetAsync("key", [1], Default);
            Assert.Equal(new byte[] { 1 }, await cache.GetAsync("key"));
        }
    }

    [Fact]
    public async Task A_server_that_is_not_there_at_the_start_costs_nothing_but_the_cache()
    {
        var logger = new RecordingLogger();
        string server = "127.0.0.1:" + MemcachedProcess.FreePort(IPAddress.Loopback);
        await using MemcachedCache cache = On(logger, server);
        Assert.Null(await cache.GetAsync("key"));
        Assert.Null(cache.Get("key"));
        await cache.SetAsync("key", [1], Default);
        cache.Refresh("key");
        await cache.RemoveAsync("key");
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        await logger.SeesAsync("is down", 1);
    }

    public static TheoryData<string, string> BadHandshakes => new()
    {
        { "VERSION 1.4\r\n", "1.4.15 or newer is needed" },
        { "ERROR\r\n", "when asked for its version" },
        { "ERROR Too many open connections\r\n", "Too many open connections" },
        { "HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1.1 400 Bad Request" },
        { "-ERR unknown command 'version'\r\n", "unknown command" },
        { "\n\n\n", "does not speak the memcached protocol" },
        { "VERSION 1.6.18\r\nEND\r\nMN\r\nEND\r\n", "more than was asked for" },
        { "VERSION 37.0.0 mcrouter\r\nERROR\r\nEND\r\n", "speaks no meta protocol" },
        { "", "closed the connection" },
    };

    [Theory]
    [MemberData(nameof(BadHandshakes))]
    public async Task A_peer_that_cannot_be_used_is_named_with_the_reason(string handshake, string expected)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var stop = new CancellationTokenSource();
        Task serving = ServeAsync(listener, Encoding.ASCII.GetBytes(handshake), stop.Token);
        var logger = new RecordingLogger();
        await using (MemcachedCache cache = On(logger, listener.LocalEndpoint.ToString()!))
        {
            Assert.Null(await cache.GetAsync("key"));
            await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
            await Eventually.True(() => logger.Texts(LogLevel.Warning).Any(), "a warning is logged");
            Assert.Contains(expected, Assert.Single(logger.Texts(LogLevel.Warning)), StringComparison.Ordinal);
        }

        await stop.CancelAsync();
        await serving;
    }

    [Fact]
    public async Task A_peer_that_accepts_and_never_speaks_is_given_up_after_the_connect_limit()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using MemcachedCache cache = On(new RecordingLogger(), options =>
        {
            options.ConnectTimeout = TimeSpan.FromMilliseconds(300);
            options.OperationTimeout = OperationLimit;
        }, listener.LocalEndpoint.ToString()!);
        long started = Stopwatch.GetTimestamp();
        Assert.Null(await cache.GetAsync("key"));
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, OperationLimit * 3);
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        Assert.Null(await cache.GetAsync("key"));
    }

    private static async Task ServeAsync(TcpListener listener, byte[] handshake, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                using TcpClient client = await listener.AcceptTcpClientAsync(stop);
                NetworkStream stream = client.GetStream();
                _ = await stream.ReadAsync(new byte[64], stop);
                await stream.WriteAsync(handshake, stop);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // The test is over, or the client has heard enough.
        }
    }


    private static MemcachedCache On(RecordingLogger logger, params string[] servers) => On(logger, static _ => { }, servers);

    private static MemcachedCache On(RecordingLogger logger, Action<MemcachedCacheOptions> configure, params string[] servers)
    {
        var options = new MemcachedCacheOptions
        {
            Servers = servers,
            Namespace = "outage",
            OperationTimeout = TimeSpan.FromSeconds(10),
            ReconnectDelay = TimeSpan.FromMilliseconds(20),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(200),
        };
        configure(options);
        return new MemcachedCache(options, logger);
    }
}
