using System.Net.Security;
using System.Net.Sockets;
using System.Net;
using System.Security.Authentication;

namespace MemcachedDistributedCache.Embedded.Proxy;

/// <summary>One client's connection and the one made to the target for it.</summary>
internal sealed class ProxiedConnection(Socket client, Socket server, FaultProxyTls? tls) : IDisposable
{
    private readonly CancellationTokenSource _closed = new();
    private int _ending;

    /// <summary>Connects to the target and carries bytes until either side ends, a fault ends it, or it is dropped; never throws.</summary>
    public async Task RunAsync(IPEndPoint target, FaultSwitch faults, TimeProvider time, Action<int> toServer, Action<int> toClient)
    {
        Stream clientStream;
        Stream serverStream;
        try
        {
            await server.ConnectAsync(target, _closed.Token).ConfigureAwait(false);
            server.NoDelay = true;
            serverStream = await EncryptToServerAsync(new NetworkStream(server, ownsSocket: false)).ConfigureAwait(false);
            clientStream = await EncryptToClientAsync(new NetworkStream(client, ownsSocket: false)).ConfigureAwait(false);
        }
        catch (Exception e) when (IsEndOfConnection(e))
        {
            Reset();
            return;
        }

        var requests = new FaultRelay(clientStream, serverStream, static fault => fault.ToServer, faults, time, toServer);
        var replies = new FaultRelay(serverStream, clientStream, static fault => fault.ToClient, faults, time, toClient);
        await Task.WhenAll(CarryAsync(requests, client, server), CarryAsync(replies, server, client)).ConfigureAwait(false);
        client.Dispose();
        server.Dispose();
        await clientStream.DisposeAsync().ConfigureAwait(false);
        await serverStream.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Ends both sides: orderly, so that what was sent before still arrives, or by a reset, which may overtake it.</summary>
    public void End(bool reset)
    {
        if (reset)
        {
            Reset();
            return;
        }

        Interlocked.Exchange(ref _ending, 1);
        Finish(client);
        Finish(server);
        Cancel();
    }

    public void Dispose()
    {
        client.Dispose();
        server.Dispose();
        _closed.Dispose();
    }

    private async Task<Stream> EncryptToServerAsync(NetworkStream plain)
    {
        if (tls?.ToServer is not { } options)
        {
            return plain;
        }

        var encrypted = new SslStream(plain);
        await encrypted.AuthenticateAsClientAsync(options, _closed.Token).ConfigureAwait(false);
        return encrypted;
    }

    private async Task<Stream> EncryptToClientAsync(NetworkStream plain)
    {
        if (tls?.ToClient is not { } options)
        {
            return plain;
        }

        var encrypted = new SslStream(plain);
        await encrypted.AuthenticateAsServerAsync(options, _closed.Token).ConfigureAwait(false);
        return encrypted;
    }

    private async Task CarryAsync(FaultRelay relay, Socket from, Socket to)
    {
        try
        {
            RelayEnd end = await relay.RunAsync(_closed.Token).ConfigureAwait(false);
            if (end == RelayEnd.SenderFinished)
            {
                Finish(to);
                return;
            }

            End(reset: end == RelayEnd.Reset);
        }
        catch (Exception e) when (IsEndOfConnection(e))
        {
            if (Volatile.Read(ref _ending) == 0)
            {
                // One side was reset; the other learns it the same way.
                Reset();
                return;
            }
        }

        await DrainAsync(from).ConfigureAwait(false);
    }

    /// <summary>Closing a socket with bytes unread resets it, so an orderly end reads on until the peer has ended too.</summary>
    private static async Task DrainAsync(Socket socket)
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer).ConfigureAwait(false) > 0)
            {
            }
        }
        catch (Exception e) when (IsEndOfConnection(e))
        {
            // Ended, which is what was waited for.
        }
    }

    private static bool IsEndOfConnection(Exception e) => e is SocketException or ObjectDisposedException or OperationCanceledException or IOException or AuthenticationException;

    private static void Finish(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (IsEndOfConnection(e))
        {
            // Not connected any more: finished already.
        }
    }

    private void Reset()
    {
        Interlocked.Exchange(ref _ending, 1);
        Abort(client);
        Abort(server);
        Cancel();
    }

    private static void Abort(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (Exception e) when (IsEndOfConnection(e))
        {
            // Closed already: nothing is left to reset.
        }

        socket.Dispose();
    }

    private void Cancel()
    {
        try
        {
            _closed.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Both relays have ended.
        }
    }
}
