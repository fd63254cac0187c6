using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Connections;

/// <summary>Holds the <see cref="Greeting"/> with a peer. Its time limit is the connection's: who breaks it ends the exchange.</summary>
internal static class GreetingExchange
{
    /// <summary>Greets, and returns what is wrong with the peer, or null.</summary>
    public static async Task<string?> RunAsync(Greeting greeting, TransportConnection transport)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Greeting.BufferLength);
        try
        {
            await transport.SendAsync(Greeting.Request.ToArray()).ConfigureAwait(false);
            int length = 0;
            int count;
            do
            {
                count = await transport.ReceiveAsync(buffer.AsMemory(length)).ConfigureAwait(false);
                length += count;
            }
            while (count != 0 && !greeting.Advance(buffer.AsSpan(0, length)));
            return Verdict(greeting, count);
        }
        catch (Exception exception) when (SocketEnd.IsByPeer(exception))
        {
            return Verdict(greeting, 0);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The blocking twin of <see cref="RunAsync"/>.</summary>
    public static string? Run(Greeting greeting, TransportConnection transport)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Greeting.BufferLength);
        try
        {
            transport.Send(Greeting.Request);
            int length = 0;
            int count;
            do
            {
                count = transport.Receive(buffer.AsSpan(length));
                length += count;
            }
            while (count != 0 && !greeting.Advance(buffer.AsSpan(0, length)));
            return Verdict(greeting, count);
        }
        catch (Exception exception) when (SocketEnd.IsByPeer(exception))
        {
            return Verdict(greeting, 0);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static string? Verdict(Greeting greeting, int lastCount) => lastCount == 0 ? PeerDiagnosis.Closed : greeting.Error;
}
