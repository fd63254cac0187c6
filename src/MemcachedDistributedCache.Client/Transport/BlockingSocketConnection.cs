using System.Net.Sockets;
using System.Net;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// A connection whose users block, on a non-blocking socket that they wait for by poll(2). The runtime's own blocking
/// calls will not do: once a socket was non-blocking, which a connect with a limit takes, it emulates them by events,
/// and one that comes in between the attempt and the wait is handed to the thread pool, which may be blocked in just
/// such calls.
/// </summary>
internal sealed class BlockingSocketConnection(Socket socket, IPAddress? address, TimeSpan sendTimeout) : IBlockingTransport
{
    /// <inheritdoc/>
    public IPAddress? RemoteAddress => address;

    /// <inheritdoc/>
    public bool WaitToReceive(TimeSpan limit) => socket.Poll(limit, SelectMode.SelectRead);

    /// <inheritdoc/>
    public int Receive(Span<byte> buffer)
    {
        while (true)
        {
            socket.Poll(Timeout.InfiniteTimeSpan, SelectMode.SelectRead);
            int count = socket.Receive(buffer, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success)
            {
                return count;
            }

            ThrowUnlessBlocked(error);
        }
    }

    /// <inheritdoc/>
    public void Send(ReadOnlySpan<byte> data, ref long waitingSince)
    {
        while (!data.IsEmpty)
        {
            int count = socket.Send(data, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success)
            {
                data = data[count..];
                continue;
            }

            ThrowUnlessBlocked(error);

            // The limit is for all of it: a receiver that takes a little now and then would hold the sender for ever.
            waitingSince = waitingSince == 0 ? TimeProvider.System.GetTimestamp() : waitingSince;
            TimeSpan left = sendTimeout - TimeProvider.System.GetElapsedTime(waitingSince);
            if (left <= TimeSpan.Zero || !socket.Poll(left, SelectMode.SelectWrite))
            {
                throw new SocketException((int)SocketError.TimedOut);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => SocketEnd.Abandon(socket);

    private static void ThrowUnlessBlocked(SocketError error)
    {
        if (error != SocketError.WouldBlock)
        {
            throw new SocketException((int)error);
        }
    }
}
