using System.Net.Security;
using System.Net.Sockets;

namespace MemcachedDistributedCache.Load.Fence;

/// <summary>The socket of a bare loop, encrypted or not.</summary>
internal sealed class BareLoopTransport(Socket socket, SslStream? encrypted) : IDisposable
{
    /// <summary>Receives at least one byte; 0 at the end.</summary>
    public ValueTask<int> ReceiveAsync(Memory<byte> buffer)
        => encrypted is null ? socket.ReceiveAsync(buffer, SocketFlags.None) : encrypted.ReadAsync(buffer);

    /// <summary>Sends all bytes.</summary>
    public ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        if (encrypted is not null)
        {
            return encrypted.WriteAsync(bytes);
        }

        ValueTask<int> sending = socket.SendAsync(bytes, SocketFlags.None);
        if (!sending.IsCompletedSuccessfully)
        {
            return SendRestAsync(sending, bytes);
        }

        int sent = sending.Result;
        return sent == bytes.Length ? default : SendRestAsync(new ValueTask<int>(sent), bytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        socket.Dispose();
        encrypted?.Dispose();
    }

    private async ValueTask SendRestAsync(ValueTask<int> sending, ReadOnlyMemory<byte> bytes)
    {
        for (bytes = bytes[await sending..]; !bytes.IsEmpty;)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None)..];
        }
    }
}
