using System.Net.Sockets;
using System.Net;

namespace MemcachedDistributedCache.Transport;

/// <summary>A connection whose users await, on a socket of TCP or a Unix socket.</summary>
/// <param name="socket">Connected; the connection ends it.</param>
/// <param name="address">The address at the other end, null for a Unix socket.</param>
internal sealed class SocketConnection(Socket socket, IPAddress? address) : IAsyncTransport
{
    /// <inheritdoc/>
    public IPAddress? RemoteAddress => address;

    /// <inheritdoc/>
    public ValueTask<int> ReceiveAsync(Memory<byte> buffer) => socket.ReceiveAsync(buffer, SocketFlags.None);

    /// <inheritdoc/>
    public ValueTask SendAsync(ReadOnlyMemory<byte> data)
    {
        ValueTask<int> sending = socket.SendAsync(data, SocketFlags.None);
        if (!sending.IsCompletedSuccessfully)
        {
            return SendRestAsync(sending, data);
        }

        int sent = sending.Result;
        return sent == data.Length ? ValueTask.CompletedTask : SendRestAsync(new ValueTask<int>(sent), data);
    }

    /// <inheritdoc/>
    public void Dispose() => SocketEnd.Abandon(socket);

    private async ValueTask SendRestAsync(ValueTask<int> sending, ReadOnlyMemory<byte> data)
    {
        data = data[await sending.ConfigureAwait(false)..];
        while (!data.IsEmpty)
        {
            data = data[await socket.SendAsync(data, SocketFlags.None).ConfigureAwait(false)..];
        }
    }
}
