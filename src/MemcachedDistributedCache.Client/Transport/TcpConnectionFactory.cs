using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Net;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// TCP over IPv4 and IPv6. Of a name with several addresses the preferred one is tried first, whatever the resolver's
/// order, so that all connections lead to one server; the others follow in that order until one accepts.
/// </summary>
internal sealed class TcpConnectionFactory(NameResolver names) : ConnectionFactory
{
    private readonly ConcurrentDictionary<ServerAddress, IPAddress> _preferred = new();

    /// <inheritdoc/>
    public override async Task<IAsyncTransport> ConnectAsync(ServerAddress address, TimeSpan connectTimeout, CancellationToken cancellationToken)
    {
        IPAddress[] candidates = IPAddress.TryParse(address.Host, out IPAddress? literal)
            ? [literal]
            : InOrder(address, await names.ResolveAsync(address.Host, cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false));
        for (int i = 0; ; i++)
        {
            IPAddress candidate = Candidate(candidates, i, address);
            Socket? socket = null;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            try
            {
                limit.CancelAfter(Share(connectTimeout, candidates));
                socket = CreateSocket(candidate);
                await socket.ConnectAsync(new IPEndPoint(candidate, address.Port), limit.Token).ConfigureAwait(false);
                return new SocketConnection(socket, candidate);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                socket?.Dispose();
                if (i == candidates.Length - 1)
                {
                    // As the blocking twin has it: nobody cancelled, the address is silent.
                    throw new SocketException((int)SocketError.TimedOut);
                }
            }
            catch (Exception exception)
            {
                socket?.Dispose();
                if (exception is not SocketException || i == candidates.Length - 1)
                {
                    throw;
                }
            }
        }
    }

    /// <inheritdoc/>
    public override IBlockingTransport Connect(ServerAddress address, TimeSpan connectTimeout, TimeSpan sendTimeout)
    {
        IPAddress[] candidates = IPAddress.TryParse(address.Host, out IPAddress? literal)
            ? [literal]
            : InOrder(address, names.Resolve(address.Host));
        for (int i = 0; ; i++)
        {
            IPAddress candidate = Candidate(candidates, i, address);
            Socket? socket = null;
            try
            {
                socket = CreateSocket(candidate);
                ConnectWithin(socket, new IPEndPoint(candidate, address.Port), Share(connectTimeout, candidates));
                return new BlockingSocketConnection(socket, candidate, sendTimeout);
            }
            catch (Exception exception)
            {
                socket?.Dispose();
                if (exception is not SocketException || i == candidates.Length - 1)
                {
                    throw;
                }
            }
        }
    }

    /// <inheritdoc/>
    public override void Prefer(ServerAddress address, IPAddress first) => _preferred[address] = first;

    private IPAddress[] InOrder(ServerAddress address, IPAddress[] candidates)
        => candidates.Length > 1 && _preferred.TryGetValue(address, out IPAddress? first) && Array.IndexOf(candidates, first) > 0
            ? [first, .. candidates.Where(candidate => !candidate.Equals(first))]
            : candidates;

    /// <summary>Each address has its share of the time, so that one behind a silent firewall leaves some to the next.</summary>
    private static TimeSpan Share(TimeSpan connectTimeout, IPAddress[] candidates) => connectTimeout / candidates.Length;

    private static IPAddress Candidate(IPAddress[] candidates, int index, ServerAddress address)
        => index < candidates.Length
            ? candidates[index]
            : throw new SocketException((int)SocketError.HostNotFound, $"The name '{address.Host}' has no addresses.");

    /// <summary>
    /// A blocking connect has no time limit of its own, so it is started non-blocking and waited for by poll(2): neither
    /// step needs a thread of the pool. The socket stays non-blocking; see <see cref="BlockingSocketConnection"/>.
    /// </summary>
    private static void ConnectWithin(Socket socket, IPEndPoint endPoint, TimeSpan timeout)
    {
        socket.Blocking = false;
        try
        {
            socket.Connect(endPoint);
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            if (!socket.Poll(timeout, SelectMode.SelectWrite))
            {
                throw new SocketException((int)SocketError.TimedOut);
            }

            int error = (int)(socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error) ?? 0);
            if (error != 0)
            {
                throw new SocketException(error);
            }
        }
    }

    private static Socket CreateSocket(IPAddress address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);

        // A peer that vanished without a word is noticed after about 45 s of silence, before most NATs forget the flow.
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 30);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
        return socket;
    }
}
