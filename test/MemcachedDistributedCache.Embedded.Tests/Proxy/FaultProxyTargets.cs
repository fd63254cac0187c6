using System.Net;
using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Embedded.Tests.Proxy;

/// <summary>The faults before an embedded server.</summary>
public sealed class EmbeddedFaultProxyTests(ServerPair servers) : FaultProxyTests(servers), IClassFixture<ServerPair>
{
    protected override IPEndPoint Target => Servers.Embedded;

    [Fact]
    public Task Everything_passes_untouched() => PassesEverythingAsync();

    [Fact]
    public Task Requests_are_delayed() => DelaysByItsClockAsync(replies: false);

    [Fact]
    public Task Replies_are_delayed() => DelaysByItsClockAsync(replies: true);

    [Fact]
    public Task Requests_stall() => StallsUntilReleasedAsync(replies: false);

    [Fact]
    public Task Replies_stall() => StallsUntilReleasedAsync(replies: true);

    [Fact]
    public Task Connections_are_cut_after_bytes() => CutsAfterBytesAsync();

    [Fact]
    public Task Connections_are_reset() => ResetsAsync();

    [Fact]
    public Task Connects_are_refused_for_a_while() => RefusesAndAcceptsAgainAsync();

    [Fact]
    public Task Replies_are_spoilt() => SpoilsRepliesAsync();

    [Fact]
    public Task Replies_drip() => DripsAsync();

    [Fact]
    public Task All_connections_end_in_order() => DropsConnectionsAsync(reset: false);

    [Fact]
    public Task All_connections_are_reset() => DropsConnectionsAsync(reset: true);
}

/// <summary>The faults before a real memcached.</summary>
public sealed class RealFaultProxyTests(ServerPair servers) : FaultProxyTests(servers), IClassFixture<ServerPair>
{
    protected override IPEndPoint Target => Servers.Real;

    [MemcachedFact]
    public Task Everything_passes_untouched() => PassesEverythingAsync();

    [MemcachedFact]
    public Task Requests_are_delayed() => DelaysByItsClockAsync(replies: false);

    [MemcachedFact]
    public Task Replies_are_delayed() => DelaysByItsClockAsync(replies: true);

    [MemcachedFact]
    public Task Requests_stall() => StallsUntilReleasedAsync(replies: false);

    [MemcachedFact]
    public Task Replies_stall() => StallsUntilReleasedAsync(replies: true);

    [MemcachedFact]
    public Task Connections_are_cut_after_bytes() => CutsAfterBytesAsync();

    [MemcachedFact]
    public Task Connections_are_reset() => ResetsAsync();

    [MemcachedFact]
    public Task Connects_are_refused_for_a_while() => RefusesAndAcceptsAgainAsync();

    [MemcachedFact]
    public Task Replies_are_spoilt() => SpoilsRepliesAsync();

    [MemcachedFact]
    public Task Replies_drip() => DripsAsync();

    [MemcachedFact]
    public Task All_connections_end_in_order() => DropsConnectionsAsync(reset: false);

    [MemcachedFact]
    public Task All_connections_are_reset() => DropsConnectionsAsync(reset: true);
}

public sealed class FaultTests
{
    [Fact]
    public async Task Values_out_of_range_are_named_with_a_remedy()
    {
        var target = new IPEndPoint(IPAddress.Loopback, 1);
        await using FaultProxy proxy = await FaultProxy.StartAsync(target);
        await RefusedAsync(new StreamFault { Delay = TimeSpan.FromSeconds(-1) }, "Fault.ToClient.Delay is -00:00:01: use zero or more");
        await RefusedAsync(new StreamFault { CutAfterBytes = -1 }, "CutAfterBytes is -1");
        await RefusedAsync(new StreamFault { CorruptByteAt = -1 }, "CorruptByteAt is -1");
        await RefusedAsync(new StreamFault { DripBytes = -1 }, "DripBytes is -1");
        await RefusedAsync(new StreamFault { DripInterval = TimeSpan.FromSeconds(-1) }, "DripInterval is -00:00:01");
        await RefusedAsync(null!, "may not be null");
        await Assert.ThrowsAsync<ArgumentNullException>(() => proxy.ApplyAsync(null!));

        async Task RefusedAsync(StreamFault fault, string message)
        {
            ArgumentException e = await Assert.ThrowsAsync<ArgumentException>(() => proxy.ApplyAsync(Fault.OnReplies(fault)));
            Assert.Contains(message, e.Message, StringComparison.Ordinal);
            Assert.Same(Fault.None, proxy.Fault);
        }
    }

    [Fact]
    public async Task A_client_is_reset_when_nobody_listens_behind()
    {
        await using EmbeddedMemcached stopped = await EmbeddedMemcached.StartAsync();
        await stopped.Nodes[0].StopAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(stopped.Nodes[0].EndPoint);
        try
        {
            using WireClient client = await WireClient.ConnectAsync(proxy.EndPoint);
            Assert.Equal("{reset}", await client.ReadToEndAsync());
        }
        catch (System.Net.Sockets.SocketException e)
        {
            // The reset may be here before the connect has been seen to succeed.
            Assert.Equal(System.Net.Sockets.SocketError.ConnectionReset, e.SocketErrorCode);
        }
    }
}
