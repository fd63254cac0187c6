using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>Holds the <see cref="Handshake"/> with a peer. Its time limit is the connection's: who breaks it ends the exchange.</summary>
internal static class HandshakeExchange
{
    /// <summary>Authenticates where there are credentials, shakes hands, and returns what is wrong with the peer, or null.</summary>
    public static async Task<string?> RunAsync(Handshake handshake, IAsyncTransport transport, Credentials? credentials)
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
    public static string? Run(Handshake handshake, IBlockingTransport transport, Credentials? credentials)
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

    private static string? Judgement(Handshake handshake, int lastCount, ITransport transport)
        => lastCount != 0 ? handshake.Error
            : transport.IsEncrypted ? PeerDiagnosis.ClosedEncrypted
            : PeerDiagnosis.Closed;
}
