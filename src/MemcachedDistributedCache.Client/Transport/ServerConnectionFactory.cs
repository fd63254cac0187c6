using System.Net;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// Opens connections to the servers of a configuration, each in its own way. A Unix socket is never encrypted: memcached does
/// not speak TLS there, whatever it does on its port.
/// </summary>
/// <param name="names">Finds the addresses of names.</param>
/// <param name="tls">How connections of TCP are encrypted; null where they are not.</param>
internal sealed class ServerConnectionFactory(NameResolver names, TlsSettings? tls = null) : ConnectionFactory
{
    private readonly ConnectionFactory _tcp =
        tls is null ? new TcpConnectionFactory(names) : new TlsConnectionFactory(new TcpConnectionFactory(names), tls);

    private readonly UnixSocketConnectionFactory _unix = new();

    /// <inheritdoc/>
    public override Task<IAsyncTransport> ConnectAsync(ServerAddress address, TimeSpan connectTimeout, CancellationToken cancellationToken)
        => Of(address).ConnectAsync(address, connectTimeout, cancellationToken);

    /// <inheritdoc/>
    public override IBlockingTransport Connect(ServerAddress address, TimeSpan connectTimeout, TimeSpan sendTimeout)
        => Of(address).Connect(address, connectTimeout, sendTimeout);

    /// <inheritdoc/>
    public override void Prefer(ServerAddress address, IPAddress first) => Of(address).Prefer(address, first);

    private ConnectionFactory Of(ServerAddress address) => address.IsUnixSocket ? _unix : _tcp;
}
