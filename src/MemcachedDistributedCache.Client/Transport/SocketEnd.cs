using System.Net.Sockets;

namespace MemcachedDistributedCache.Transport;

/// <summary>How the sockets of connections end.</summary>
internal static class SocketEnd
{
    /// <summary>
    /// Closes a socket and throws away what has not been sent. Otherwise the kernel would deliver it when the network
    /// is back, long after its callers were told that there is no answer.
    /// </summary>
    public static void Abandon(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It has ended by itself.
        }

        socket.Dispose();
    }

    /// <summary>
    /// A peer that was reached has ended the connection. That says something of the peer; as an error of the socket it
    /// would pass for one of the network.
    /// </summary>
    public static bool IsByPeer(Exception exception)
        => exception is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown };
}
