using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>Holds the <see cref="Handshake"/> with a peer. Its time limit is the connection's: who breaks it ends the exchange.</summary>
internal static class HandshakeExchange
{
    /// <summary>
    /// Connects and shakes hands, anew where the peer closes the connection at a question that it does not know.
    /// </summary>
    /// <returns>The transport, and what is wrong with the peer, or null.</returns>
    public static async Task<(IAsyncTransport Transport, string? Error)> OpenAsync(
        Handshake handshake,
        Func<Task<IAsyncTransport>> connect,
        Credentials? credentials)
    {
        while (true)
        {
            IAsyncTransport transport = await connect().ConfigureAwait(false);
            string? error = await RunAsync(handshake, transport, credentials).ConfigureAwait(false);
            if (!handshake.TryBeginAnew(IsClosed(error)))
            {
                return (transport, handshake.Diagnosis(error));
            }
        }
    }

    /// <summary>The blocking twin of <see cref="OpenAsync"/>.</summary>
    public static (IBlockingTransport Transport, string? Error) Open(
        Handshake handshake,
        Func<IBlockingTransport> connect,
        Credentials? credentials)
    {
        while (true)
        {
            IBlockingTransport transport = connect();
            string? error = Run(handshake, transport, credentials);
            if (!handshake.TryBeginAnew(IsClosed(error)))
            {
                return (transport, handshake.Diagnosis(error));
            }
        }
    }

    /// <summary>Authenticates where there are credentials, shakes hands, and returns what is wrong with the peer, or null.</summary>
    private static async Task<string?> RunAsync(Handshake handshake, IAsyncTransport transport, Credentials? credentials)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Handshake.BufferLength);
        try
        {
            if (credentials is not null && await AuthenticationExchange.RunAsync(credentials, transport).ConfigureAwait(false) is { } refusal)
            {
                return handshake.Refuse(refusal);
            }

            await transport.SendAsync(handshake.Request.ToArray()).ConfigureAwait(false);
            int length = 0;
            int count;
            do
            {
                count = await transport.ReceiveAsync(buffer.AsMemory(length)).ConfigureAwait(false);
                length += count;
            }
            while (count != 0 && !handshake.Advance(buffer.AsSpan(0, length)));
            return Judgement(handshake, count, transport);
        }
        catch (Exception exception) when (SocketEnd.IsByPeer(exception))
        {
            return Judgement(handshake, 0, transport);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The blocking twin of <see cref="RunAsync"/>.</summary>
    private static string? Run(Handshake handshake, IBlockingTransport transport, Credentials? credentials)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Handshake.BufferLength);
        try
        {
            if (credentials is not null && AuthenticationExchange.Run(credentials, transport) is { } refusal)
            {
                return handshake.Refuse(refusal);
            }

            transport.Send(handshake.Request);
            int length = 0;
            int count;
            do
            {
                count = transport.Receive(buffer.AsSpan(length));
                length += count;
            }
            while (count != 0 && !handshake.Advance(buffer.AsSpan(0, length)));
            return Judgement(handshake, count, transport);
        }
        catch (Exception exception) when (SocketEnd.IsByPeer(exception))
        {
            return Judgement(handshake, 0, transport);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>With TLS it is most likely the certificate, and another handshake would be as useless.</summary>
    private static bool IsClosed(string? error) => error == PeerDiagnosis.Closed;

    private static string? Judgement(Handshake handshake, int lastCount, ITransport transport)
        => lastCount != 0 ? handshake.Error
            : transport.IsEncrypted ? PeerDiagnosis.ClosedEncrypted
            : PeerDiagnosis.Closed;
}
