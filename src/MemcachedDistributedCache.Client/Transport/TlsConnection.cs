using System.Net;
using System.Net.Security;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// An encrypted connection whose users await. The end of the plain connection ends whatever uses it; the other side is told
/// nothing (close_notify), since what waits to be sent is thrown away.
/// </summary>
internal sealed class TlsConnection(IAsyncTransport plain, SslStream stream) : IAsyncTransport
{
    /// <inheritdoc/>
    public IPAddress? RemoteAddress => plain.RemoteAddress;

    /// <inheritdoc/>
    public bool IsEncrypted => true;

    /// <inheritdoc/>
    public ValueTask<int> ReceiveAsync(Memory<byte> buffer) => stream.ReadAsync(buffer);

    /// <inheritdoc/>
    public ValueTask SendAsync(ReadOnlyMemory<byte> data) => stream.WriteAsync(data);

    /// <inheritdoc/>
    public void Dispose()
    {
        plain.Dispose();
        stream.Dispose();
    }
}

/// <summary>
/// The blocking twin of <see cref="TlsConnection"/>. Blocking reads and writes of an <see cref="SslStream"/> block in those of
/// the stream below, and need no thread of the pool.
/// </summary>
internal sealed class BlockingTlsConnection(IBlockingTransport plain, BlockingTransportStream inner, SslStream stream) : IBlockingTransport
{
    /// <inheritdoc/>
    public IPAddress? RemoteAddress => plain.RemoteAddress;

    /// <inheritdoc/>
    public bool IsEncrypted => true;

    /// <inheritdoc/>
    public bool WaitToReceive(TimeSpan limit) => plain.WaitToReceive(limit);

    /// <inheritdoc/>
    public int Receive(Span<byte> buffer) => stream.Read(buffer);

    /// <inheritdoc/>
    public void Send(ReadOnlySpan<byte> data, ref long waitingSince)
    {
        // What is sent goes out in records, one after the other.
        inner.WaitingSince = waitingSince;
        try
        {
            stream.Write(data);
        }
        finally
        {
            waitingSince = inner.WaitingSince;
            inner.WaitingSince = 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        plain.Dispose();
        stream.Dispose();
    }
}
