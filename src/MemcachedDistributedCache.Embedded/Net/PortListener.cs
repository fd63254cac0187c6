using System.Net.Sockets;
using System.Net;

namespace MemcachedDistributedCache.Embedded.Net;

/// <summary>
/// One TCP port that can stop and resume listening without losing its number: while paused the port stays bound without
/// listening, so that connects are refused and nobody else is given it.
/// </summary>
internal sealed class PortListener : IDisposable
{
    public const int Backlog = 1024;

    private const int BindAttempts = 500;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

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
            Close(_socket);
            loop = _loop;
        }

        // The port is free for the placeholder only when the pending accept has let go of the old socket.
        await loop.ConfigureAwait(false);
        for (int attempt = 1; !TryHold(last: attempt == BindAttempts); attempt++)
        {
            await Task.Delay(Pause).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            IsListening = false;
            Close(_socket);
        }
    }

    /// <summary>
    /// Binds the placeholder. A process that is being started shares our sockets until it runs its own program, so the
    /// port may be in use a moment longer.
    /// </summary>
    private bool TryHold(bool last)
    {
        lock (_lock)
        {
            try
            {
                if (!_disposed)
                {
                    _socket = Bind(EndPoint);
                }

                return true;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse && !last)
            {
                return false;
            }
        }
    }

    /// <summary>Ends listening before it closes, which also reaches copies of the socket in processes that are being started.</summary>
    private static void Close(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Not listening, or a system that knows no such thing: closing has to do.
        }

        socket.Dispose();
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
                await Task.Delay(Pause).ConfigureAwait(false);
                continue;
            }

            accepted.NoDelay = true;
            _accepted(accepted);
        }
    }
}
