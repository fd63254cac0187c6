using System.Diagnostics;
using System.Net.Sockets;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// Unix sockets. A connect never waits there: it succeeds, fails, or finds that the server has not yet accepted as many
/// connections as it lets wait, which shows as <see cref="SocketError.WouldBlock"/> and is tried again.
/// </summary>
internal sealed class UnixSocketConnectionFactory : ConnectionFactory
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <inheritdoc/>
    public override async Task<IAsyncTransport> ConnectAsync(ServerAddress address, TimeSpan connectTimeout, CancellationToken cancellationToken)
    {
        long began = Stopwatch.GetTimestamp();
        Socket? socket;
        while ((socket = TryConnect(address)) is null)
        {
            ThrowIfLate(began, connectTimeout);
            await Task.Delay(Pause, cancellationToken).ConfigureAwait(false);
        }

        return new SocketConnection(socket, address: null);
    }

    /// <inheritdoc/>
    public override IBlockingTransport Connect(ServerAddress address, TimeSpan connectTimeout, TimeSpan sendTimeout)
    {
        long began = Stopwatch.GetTimestamp();
        Socket? socket;
        while ((socket = TryConnect(address)) is null)
        {
            ThrowIfLate(began, connectTimeout);
#pragma warning disable RS0030 // The kernel tells nobody that there is room; poll(2) says so at once, of any socket that is not connected.
            Thread.Sleep(Pause);
#pragma warning restore RS0030
        }

        return new BlockingSocketConnection(socket, address: null, sendTimeout);
    }

    /// <summary>A connected, non-blocking socket; null while the server has no room for another connection.</summary>
    private static Socket? TryConnect(ServerAddress address)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(address.Host));
            return socket;
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.WouldBlock)
        {
            socket.Dispose();
            return null;
        }
        catch (SocketException exception)
        {
            socket.Dispose();
            throw new SocketException((int)exception.SocketErrorCode, Describe(exception, address.Host));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The system has no word of its own for a file that is not there.</summary>
    private static string Describe(SocketException exception, string path)
        => exception.SocketErrorCode switch
        {
            SocketError.AccessDenied => $"this process may not open the socket '{path}': set its permissions with memcached -a, such as -a 770",
            SocketError.ConnectionRefused => $"nobody listens on the socket '{path}'",
            _ when !File.Exists(path) => $"there is no socket '{path}': memcached -s makes the file as it starts",
            _ => $"the socket '{path}' cannot be opened: {exception.Message}",
        };

    private static void ThrowIfLate(long began, TimeSpan connectTimeout)
    {
        if (Stopwatch.GetElapsedTime(began) >= connectTimeout)
        {
            throw new SocketException((int)SocketError.TimedOut);
        }
    }
}
