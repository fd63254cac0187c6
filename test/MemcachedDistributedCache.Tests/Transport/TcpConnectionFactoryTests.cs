using System.Net.Sockets;
using System.Net;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Tests.Transport;

public sealed class TcpConnectionFactoryTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_address_that_says_nothing_times_out_and_nobody_is_said_to_have_cancelled(bool sync)
    {
        // The kernel has no room for connections that are not accepted, and drops what asks for more, as a firewall would.
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(0);
        var fillers = new List<Socket>();
        try
        {
            var endPoint = (IPEndPoint)listener.LocalEndPoint!;
            for (bool accepts = true; accepts;)
            {
                Assert.True(fillers.Count < 100, "the kernel takes no end of connections");
                fillers.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                accepts = await IsAcceptedAsync(fillers[^1], endPoint);
            }

            var factory = new TcpConnectionFactory(NameResolver.System);
            var address = new ServerAddress("127.0.0.1", endPoint.Port);
            TimeSpan limit = TimeSpan.FromMilliseconds(100);
            SocketException failure = await Assert.ThrowsAsync<SocketException>(
                () => sync ? Task.Run(() => factory.Connect(address, limit, limit)) : factory.ConnectAsync(address, limit, CancellationToken.None));
            Assert.Equal(SocketError.TimedOut, failure.SocketErrorCode);
            using var cancel = new CancellationTokenSource(limit);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => factory.ConnectAsync(address, TimeSpan.FromSeconds(20), cancel.Token));
        }
        finally
        {
            fillers.ForEach(static socket => socket.Dispose());
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_a_name_with_several_addresses_the_preferred_one_is_tried_first(bool sync)
    {
        var first = IPAddress.Parse("127.0.0.1");
        var second = IPAddress.Parse("127.0.0.2");
        var third = IPAddress.Parse("127.0.0.3");
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(second, 0));
        listener.Listen();
        var address = new ServerAddress("mc.test", ((IPEndPoint)listener.LocalEndPoint!).Port);
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(third, address.Port));
        other.Listen();
        var names = new Names { Addresses = [first, second, third] };
        var factory = new TcpConnectionFactory(names);
        Assert.Equal(second, await ConnectAsync());
        names.Addresses = [third, second, first];
        Assert.Equal(third, await ConnectAsync());
        factory.Prefer(address, second);
        Assert.Equal(second, await ConnectAsync());
        names.Addresses = [third, first];
        Assert.Equal(third, await ConnectAsync());
        names.Addresses = [second, third];
        factory.Prefer(address, third);
        Assert.Equal(third, await ConnectAsync());
        other.Dispose();
        Assert.Equal(second, await ConnectAsync());

        async Task<IPAddress?> ConnectAsync()
        {
            TimeSpan limit = TimeSpan.FromSeconds(20);
            using ITransport connection = sync ? factory.Connect(address, limit, limit) : await factory.ConnectAsync(address, limit, CancellationToken.None);
            return connection.RemoteAddress;
        }
    }

    private static async Task<bool> IsAcceptedAsync(Socket socket, IPEndPoint endPoint)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        try
        {
            await socket.ConnectAsync(endPoint, patience.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private sealed class Names : NameResolver
    {
        public IPAddress[] Addresses { get; set; } = [];

        public override Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => Task.FromResult(Addresses);

        public override IPAddress[] Resolve(string host) => Addresses;
    }
}
