using System.Net;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// A stream of bytes to and from one server. <see cref="IDisposable.Dispose"/> may come from any thread and ends
/// whatever uses the stream.
/// </summary>
internal interface ITransport : IDisposable
{
    /// <summary>The address at the other end, null where there is none to tell.</summary>
    IPAddress? RemoteAddress { get; }

    /// <summary>The connection is encrypted.</summary>
    bool IsEncrypted => false;
}

/// <summary>A stream whose users await. One sender and one receiver at a time.</summary>
internal interface IAsyncTransport : ITransport
{
    /// <summary>Receives at least one byte; 0 when the server has closed.</summary>
    ValueTask<int> ReceiveAsync(Memory<byte> buffer);

    /// <summary>Sends all bytes.</summary>
    ValueTask SendAsync(ReadOnlyMemory<byte> data);
}

/// <summary>A stream whose users block, without the thread pool. One sender and one receiver at a time.</summary>
internal interface IBlockingTransport : ITransport
{
    /// <summary>Waits until there is something to receive, the end included; false where nothing came within the limit.</summary>
    bool WaitToReceive(TimeSpan limit);

    /// <summary>Receives at least one byte; 0 when the server has closed.</summary>
    int Receive(Span<byte> buffer);

    /// <summary>Sends all bytes, within the limit of a send.</summary>
    void Send(ReadOnlySpan<byte> data)
    {
        long waitingSince = 0;
        Send(data, ref waitingSince);
    }

    /// <summary>Sends all bytes as a part of one send, whose limit is for all of its parts together.</summary>
    /// <param name="data">The bytes.</param>
    /// <param name="waitingSince">
    /// When the send had to wait for the first time, by the system's monotonic clock; 0 while it has not, and before its first part.
    /// </param>
    void Send(ReadOnlySpan<byte> data, ref long waitingSince);
}

/// <summary>Opens streams.</summary>
internal abstract class ConnectionFactory
{
    /// <summary>Opens a stream for users who await.</summary>
    public abstract Task<IAsyncTransport> ConnectAsync(ServerAddress address, TimeSpan connectTimeout, CancellationToken cancellationToken);

    /// <summary>Opens a stream for users who block, without the thread pool.</summary>
    public abstract IBlockingTransport Connect(ServerAddress address, TimeSpan connectTimeout, TimeSpan sendTimeout);

    /// <summary>Of several addresses of a name, tries this one first from now on.</summary>
    public virtual void Prefer(ServerAddress address, IPAddress first)
    {
    }
}
