using System.Net.Sockets;
using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.Embedded.Tests.Server;

public sealed class LifetimeTests
{
    [Fact]
    public async Task Nodes_are_apart_and_listen_on_loopback()
    {
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(nodes: 3);
        Assert.Equal(3, server.Nodes.Count);
        Assert.All(server.Servers, text => Assert.Matches(@"^127\.0\.0\.1:\d+$", text));
        Assert.Equal(string.Join(',', server.Servers), server.ConnectionString);
        using WireClient first = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        using WireClient second = await WireClient.ConnectAsync(server.Nodes[1].EndPoint);
        await first.AskAsync("set a 0 0 1\r\nx\r\n");
        Assert.Equal("EN\r\n", await second.AskAsync("mg a\r\n"));
        Assert.Equal(1, server.Nodes[0].ItemCount);
        Assert.Equal(0, server.Nodes[1].ItemCount);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_node_stops_and_comes_back_on_its_port(bool keepMemory)
    {
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync();
        EmbeddedMemcachedNode node = server.Nodes[0];
        for (int round = 0; round < 5; round++)
        {
            using WireClient before = await WireClient.ConnectAsync(node.EndPoint);
            await before.AskAsync("set a 0 0 1\r\nx\r\n");
            await node.StopAsync();
            await node.StopAsync();
            Assert.False(node.IsRunning);
            Assert.Equal(0, node.ConnectionCount);
            Assert.Contains(await before.ReadToEndAsync(), (string[])["{closed}", "{reset}"]);
            await Assert.ThrowsAsync<SocketException>(() => WireClient.ConnectAsync(node.EndPoint));

            await node.StartAgainAsync(keepMemory);
            await node.StartAgainAsync(keepMemory);
            Assert.True(node.IsRunning);
            using WireClient after = await WireClient.ConnectAsync(node.EndPoint);
            Assert.Equal(keepMemory ? "HD\r\n" : "EN\r\n", await after.AskAsync("mg a\r\n"));
        }
    }

    [Fact]
    public async Task Dropped_connections_end_and_new_ones_are_served()
    {
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync();
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        await client.AskAsync("mn\r\n");
        server.Nodes[0].DropConnections();
        Assert.Contains(await client.ReadToEndAsync(), (string[])["{closed}", "{reset}"]);
        using WireClient next = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        Assert.Equal("MN\r\n", await next.AskAsync("mn\r\n"));
    }

    [Fact]
    public async Task The_connection_over_the_limit_is_told_and_closed()
    {
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: new EmbeddedMemcachedOptions { MaximumConnections = 2 });
        EmbeddedMemcachedNode node = server.Nodes[0];
        using WireClient first = await WireClient.ConnectAsync(node.EndPoint);
        using (WireClient second = await WireClient.ConnectAsync(node.EndPoint))
        {
            await first.AskAsync("mn\r\n");
            await second.AskAsync("mn\r\n");
            using WireClient third = await WireClient.ConnectAsync(node.EndPoint);
            Assert.Equal("ERROR Too many open connections\r\n{closed}", await third.ReadToEndAsync());
        }

        while (node.ConnectionCount > 1)
        {
            await Task.Yield();
        }

        using WireClient fourth = await WireClient.ConnectAsync(node.EndPoint);
        Assert.Equal("MN\r\n", await fourth.AskAsync("mn\r\n"));
        Assert.Contains("STAT rejected_connections 1\r\n", await fourth.AskAsync("stats\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disposed_server_is_gone()
    {
        EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(nodes: 2);
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[1].EndPoint);
        await client.AskAsync("mn\r\n");
        await server.DisposeAsync();
        await server.DisposeAsync();
        server.Dispose();
        Assert.Contains(await client.ReadToEndAsync(), (string[])["{closed}", "{reset}"]);
        await Assert.ThrowsAsync<SocketException>(() => WireClient.ConnectAsync(server.Nodes[1].EndPoint));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => server.Nodes[1].StartAgainAsync());
    }

    [Fact]
    public async Task Given_ports_are_taken_in_order()
    {
        // 127.0.0.3 is nobody else's here, so no other test is given the port between the probe and the start.
        System.Net.IPAddress address = System.Net.IPAddress.Parse("127.0.0.3");
        int port = MemcachedProcess.FreePort(address);
        await using EmbeddedMemcached server = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions { Address = address, Port = port });
        Assert.Equal($"127.0.0.3:{port}", server.ConnectionString);
        Assert.Throws<SocketException>(() => EmbeddedMemcached.Start(new EmbeddedMemcachedOptions { Address = address, Port = port }));
    }

    [Fact]
    public async Task The_container_starts_it_once_and_closes_it()
    {
        int configured = 0;
        ServiceProvider provider = new ServiceCollection()
            .AddEmbeddedMemcached(options => configured += options.Nodes)
            .AddEmbeddedMemcached(options => options.Nodes = 9)
            .BuildServiceProvider();
        Assert.Equal(0, configured);
        EmbeddedMemcached server = provider.GetRequiredService<EmbeddedMemcached>();
        Assert.Same(server, provider.GetRequiredService<EmbeddedMemcached>());
        Assert.Equal(3, configured);
        Assert.Equal(3, server.Nodes.Count);
        Assert.Single(provider.GetServices<EmbeddedMemcached>());
        using (WireClient client = await WireClient.ConnectAsync(server.Nodes[2].EndPoint))
        {
            Assert.Equal("VERSION 1.6.18-embedded\r\n", await client.AskAsync("version\r\n"));
        }

        await provider.DisposeAsync();
        await Assert.ThrowsAsync<SocketException>(() => WireClient.ConnectAsync(server.Nodes[2].EndPoint));
    }

    [Fact]
    public void Options_out_of_range_are_named_with_a_remedy()
    {
        Refused(o => o.Nodes = 0, "EmbeddedMemcachedOptions.Nodes is 0: use 1 to 256.");
        Refused(o => o.Nodes = 257, "Nodes is 257");
        Refused(o => o.Port = -1, "Port is -1: use 0 for any free port");
        Refused(o => o.Port = 65536, "Port is 65536");
        Refused(o => (o.Port, o.Nodes) = (65535, 2), "Port is 65535: 2 nodes take consecutive ports");
        Refused(o => o.MaximumItemBytes = 1023, "MaximumItemBytes is 1023: use 1024");
        Refused(o => o.MaximumItemBytes = int.MaxValue, "MaximumItemBytes is 2147483647");
        Refused(o => o.MemoryLimitBytes = 2097151, "MemoryLimitBytes is 2097151: use at least twice MaximumItemBytes");
        Refused(o => o.MaximumConnections = 0, "MaximumConnections is 0: use at least 1");
        Refused(o => o.Address = null!, "Address is null: use IPAddress.Loopback");
        Refused(o => o.TimeProvider = null!, "TimeProvider is null: use TimeProvider.System");
        Assert.Throws<ArgumentNullException>(() => EmbeddedMemcached.Start(null!));

        static void Refused(Action<EmbeddedMemcachedOptions> change, string message)
        {
            var options = new EmbeddedMemcachedOptions();
            change(options);
            ArgumentException e = Assert.Throws<ArgumentException>(() => EmbeddedMemcached.Start(options));
            Assert.Contains(message, e.Message, StringComparison.Ordinal);
        }
    }
}
