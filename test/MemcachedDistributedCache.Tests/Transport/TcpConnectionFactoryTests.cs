using System.Net;
using System.Net.Sockets;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Tests.Transport;

public sealed class TcpConnectionFactoryTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnAddressThatSaysNothingTimesOutAndNobodyIsSaidToHaveCancelled(bool sync)
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
}
