using System.Net.Sockets;
using System.Net;
using System.Text;
using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Embedded.Tests.Proxy;

/// <summary>Every fault, before an embedded server and before a real memcached.</summary>
public abstract class FaultProxyTests(ServerPair servers)
{
    private const string Set = "set a 0 0 1\r\nx\r\n";
    private const string Stored = "STORED\r\n";
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    protected ServerPair Servers { get; } = servers;

    protected abstract IPEndPoint Target { get; }

    protected static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    protected async Task PassesEverythingAsync()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(Target);
        using (WireClient client = await WireClient.ConnectAsync(proxy.EndPoint))
        {
            string value = new('v', 500_000);
            await client.SendAsync($"set big 0 0 {value.Length}\r\n{value}\r\nget big\r\nquit\r\n");
            string expected = $"{Stored}VALUE big 0 {value.Length}\r\n{value}\r\nEND\r\n";
            Assert.Equal(expected + "{closed}", await client.ReadToEndAsync());
            Assert.Equal(expected.Length, proxy.BytesToClient);
            Assert.Equal("set big 0 0 500000\r\n\r\nget big\r\nquit\r\n".Length + value.Length, proxy.BytesToServer);
        }

        Assert.Equal(1, proxy.ConnectionsAccepted);
    }

    protected async Task DelaysByItsClockAsync(bool replies)
    {
        var clock = new ManualTimeProvider();
        var delay = new StreamFault { Delay = 10 * Second };
        await using FaultProxy proxy = await FaultProxy.StartAsync(Target, replies ? Fault.OnReplies(delay) : Fault.OnRequests(delay), clock);
        using WireClient client = await WireClient.ConnectAsync(proxy.EndPoint);
        Task<string> answer = AskAsync(client);
        await UntilAsync(clock, answer);
        Assert.Equal(Stored, await answer);

        // Healing releases what was held without the clock.
        answer = AskAsync(client);
        await proxy.ApplyAsync(Fault.None);
        Assert.Equal(Stored, await answer);
    }

    protected async Task StallsUntilReleasedAsync(bool replies)
    {
        var stall = new StreamFault { Stall = true };
        await using FaultProxy proxy = await FaultProxy.StartAsync(Target);
        using WireClient client = await WireClient.ConnectAsync(proxy.EndPoint);
        Assert.Equal(Stored, await AskAsync(client));
        await proxy.ApplyAsync(replies ? Fault.OnReplies(stall) : Fault.OnRequests(stall));
        Task<string> answer = AskAsync(client);
        using WireClient direct = await WireClient.ConnectAsync(Target);
        Assert.Equal(Stored, await AskAsync(direct));
        Assert.True(client.IsSilent);
        Assert.False(answer.IsCompleted);
        await proxy.ApplyAsync(Fault.None);
        Assert.Equal(Stored, await answer);
    }

    protected async Task CutsAfterBytesAsync()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(Target);
        using WireClient client = await WireClient.ConnectAsync(proxy.EndPoint);
        Assert.Equal(Stored, await AskAsync(client));
        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { CutAfterBytes = 3 }));
        await client.SendAsync(Set);
        Assert.Equal("STO{closed}", await client.ReadToEndAsync());

        // The server never sees the end of a request that is cut.
        await proxy.ApplyAsync(Fault.OnRequests(new StreamFault { CutAfterBytes = Set.Length - 3 }));
        using WireClient next = await WireClient.ConnectAsync(proxy.EndPoint);
        await next.SendAsync(Set.Replace('a', 'c'));
        Assert.Equal("{closed}", await next.ReadToEndAsync());
        using WireClient direct = await WireClient.ConnectAsync(Target);
        Assert.Equal("EN\r\n", await direct.AskAsync("mg c\r\n"));
    }

    protected async Task ResetsAsync()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(Target, Fault.OnReplies(new StreamFault { CutAfterBytes = 0, ResetOnCut = true }));
        using WireClient client = await WireClient.ConnectAsync(proxy.EndPoint);
        await client.SendAsync(Set);
        Assert.Equal("{reset}", await client.ReadToEndAsync());
    }

    protected async Task RefusesAndAcceptsAgainAsync()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(Target);
        using WireClient existing = await WireClient.ConnectAsync(proxy.EndPoint);
        Assert.Equal(Stored, await AskAsync(existing));
        for (int round = 0; round < 3; round++)
        {
            await proxy.ApplyAsync(Fault.Refuse);
            SocketException e = await Assert.ThrowsAsync<SocketException>(() => WireClient.ConnectAsync(proxy.EndPoint));
            Assert.Equal(SocketError.ConnectionRefused, e.SocketErrorCode);
            Assert.Equal(Stored, await AskAsync(existing));
            await proxy.ApplyAsync(Fault.None);
            using WireClient fresh = await WireClient.ConnectAsync(proxy.EndPoint);
            Assert.Equal(Stored, await AskAsync(fresh));
        }
    }

    protected async Task SpoilsRepliesAsync()
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(Target);
        using WireClient client = await WireClient.ConnectAsync(proxy.EndPoint);
        Assert.Equal(Stored, await AskAsync(client));

        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Insert = Bytes("?!\r\n") }));
        await client.SendAsync(Set);
        Assert.Equal("?!\r\n" + Stored, await client.ReadAsync(12));
        await client.SendAsync(Set);
        Assert.Equal(Stored, await client.ReadAsync(8));

        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Replace = Bytes("abc") }));
        await client.SendAsync(Set);
        Assert.Equal("abcabcab", await client.ReadAsync(8));

        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { CorruptByteAt = 10 }));
        await client.SendAsync(Set);
        Assert.Equal(Stored, await client.ReadAsync(8));
        await client.SendAsync(Set);
        Assert.Equal("ST" + (char)('O' ^ 0xFF) + "RED\r\n", await client.ReadAsync(8));

        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Duplicate = true }));
        await client.SendAsync(Set);
        Assert.Equal(Stored + Stored, await client.ReadAsync(16));
        await proxy.ApplyAsync(Fault.None);
        Assert.Equal(Stored, await AskAsync(client));
    }

    protected async Task DripsAsync()
    {
        var clock = new ManualTimeProvider();
        await using FaultProxy proxy = await FaultProxy.StartAsync(Target, Fault.OnReplies(new StreamFault { DripBytes = 3, DripInterval = Second }), clock);
        using WireClient client = await WireClient.ConnectAsync(proxy.EndPoint);
        await client.SendAsync(Set);
        Assert.Equal("STO", await client.ReadAsync(3));
        Assert.True(client.IsSilent);
        Task<string> rest = client.ReadAsync(5);
        await UntilAsync(clock, rest);
        Assert.Equal("RED\r\n", await rest);
    }

    protected async Task DropsConnectionsAsync(bool reset)
    {
        await using FaultProxy proxy = await FaultProxy.StartAsync(Target);
        using WireClient first = await WireClient.ConnectAsync(proxy.EndPoint);
        using WireClient second = await WireClient.ConnectAsync(proxy.EndPoint);
        Assert.Equal(Stored, await AskAsync(first));
        Assert.Equal(Stored, await AskAsync(second));
        proxy.DropConnections(reset);
        Assert.Equal(reset ? "{reset}" : "{closed}", await first.ReadToEndAsync());
        Assert.Equal(reset ? "{reset}" : "{closed}", await second.ReadToEndAsync());
        using WireClient third = await WireClient.ConnectAsync(proxy.EndPoint);
        Assert.Equal(Stored, await AskAsync(third));
        Assert.Equal(3, proxy.ConnectionsAccepted);
    }

    private static async Task<string> AskAsync(WireClient client)
    {
        await client.SendAsync(Set);
        return await client.ReadAsync(Stored.Length);
    }

    /// <summary>Moves the clock until the proxy, whose timers start when bytes reach it, has let them through.</summary>
    private static async Task UntilAsync(ManualTimeProvider clock, Task done)
    {
        Assert.False(done.IsCompleted);
        await Eventually.True(
            async () =>
            {
                clock.Advance(Second);
                await Task.WhenAny(done, Task.Delay(5));
                return done.IsCompleted;
            },
            "the proxy lets through what it delayed");
    }
}
