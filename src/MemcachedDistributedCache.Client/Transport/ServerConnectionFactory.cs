using System.Net;

namespace MemcachedDistributedCache.Transport;

/// <summary>Opens connections to the servers of a configuration, each in its own way.</summary>
internal sealed class ServerConnectionFactory(NameResolver names) : ConnectionFactory
{
    private readonly TcpConnectionFactory _tcp = new(names);
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
