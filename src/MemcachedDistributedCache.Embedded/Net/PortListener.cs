using System.Net;
using System.Net.Sockets;

namespace MemcachedDistributedCache.Embedded.Net;

/// <summary>
/// One TCP port that can stop and resume listening without losing its number: while paused the port stays bound without
/// listening, so that connects are refused and nobody else is given it.
/// </summary>
internal sealed class PortListener : IDisposable
{
    public const int Backlog = 1024;

    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(10);

    private readonly Action<Socket> _accepted;
    private readonly Lock _lock = new();
    private Socket _socket;
    private Task _loop = Task.CompletedTask;
    private bool _disposed;

    public PortListener(IPEndPoint endPoint, Action<Socket> accepted)
    {
        _accepted = accepted;
        _socket = Bind(endPoint);
        EndPoint = (IPEndPoint)_socket.LocalEndPoint!;
    }

    public IPEndPoint EndPoint { get; }

    public bool IsListening { get; private set; }

    public void Resume()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (IsListening)
            {
                return;
            }

            _socket.Listen(Backlog);
            IsListening = true;
            Socket listener = _socket;
            _loop = Task.Run(() => AcceptAsync(listener));
        }
    }

    public async Task PauseAsync()
    {
        Task loop;
        lock (_lock)
        {
            if (!IsListening)
            {
                return;
            }

            IsListening = false;
            _socket.Dispose();
            loop = _loop;
        }

        // The port is free for the placeholder only when the pending accept has let go of the old socket.
        await loop.ConfigureAwait(false);
        lock (_lock)
        {
            if (!_disposed)
            {
                _socket = Bind(EndPoint);
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            IsListening = false;
            _socket.Dispose();
        }
    }

    private static Socket Bind(IPEndPoint endPoint)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(endPoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            Socket accepted;
            try
            {
                accepted = await listener.AcceptAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (e is ObjectDisposedException || !IsListening)
            {
                return;
            }
            catch (SocketException)
            {
                // A client that gave up before it was accepted, or a shortage of descriptors: either passes, the latter slowly.
                await Task.Delay(AcceptPause).ConfigureAwait(false);
                continue;
            }

            accepted.NoDelay = true;
            _accepted(accepted);
        }
    }
}
