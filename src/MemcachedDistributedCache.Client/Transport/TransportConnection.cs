using System.Net;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// A stream of bytes to and from one server. One sender and one receiver at a time; <see cref="IDisposable.Dispose"/> may come
/// from any thread and ends both.
/// </summary>
internal abstract class TransportConnection : IDisposable
{
    /// <summary>The address at the other end, null where there is none to tell.</summary>
    public virtual IPAddress? RemoteAddress => null;

    /// <summary>Receives at least one byte; 0 when the server has closed.</summary>
    public abstract ValueTask<int> ReceiveAsync(Memory<byte> buffer);

    /// <summary>The blocking twin of <see cref="ReceiveAsync"/>, for a connection that was opened for synchronous use.</summary>
    public abstract int Receive(Span<byte> buffer);

    /// <summary>Sends all bytes.</summary>
    public abstract ValueTask SendAsync(ReadOnlyMemory<byte> data);

    /// <summary>The blocking twin of <see cref="SendAsync"/>.</summary>
    public abstract void Send(ReadOnlySpan<byte> data);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>Opens connections.</summary>
internal abstract class ConnectionFactory
{
    /// <summary>Opens a connection for asynchronous use.</summary>
    public abstract Task<TransportConnection> ConnectAsync(ServerAddress address, TimeSpan connectTimeout, CancellationToken cancellationToken);

    /// <summary>Opens a connection for blocking use, without the thread pool.</summary>
    public abstract TransportConnection Connect(ServerAddress address, TimeSpan connectTimeout, TimeSpan sendTimeout);

    /// <summary>Of several addresses of a name, tries this one first from now on.</summary>
    public virtual void Prefer(ServerAddress address, IPAddress first)
    {
    }
}
