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
        => exception switch
        {
            SocketException socket => socket.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown,

            // Of an encrypted connection: the socket's failure within, or an alert by which the peer ends TLS.
            IOException { InnerException: SocketException inner } => IsByPeer(inner),
            IOException => exception.InnerException is not (ObjectDisposedException or OperationCanceledException),
            _ => false,
        };

    /// <summary>The message of the innermost cause: an encrypted connection says only that something failed within.</summary>
    public static string MessageOf(Exception exception)
        => exception is IOException or System.Security.Authentication.AuthenticationException && exception.InnerException is { } inner
            ? MessageOf(inner)
            : exception.Message;
}
