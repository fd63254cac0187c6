using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using MemcachedDistributedCache.Load.Fence;

namespace MemcachedDistributedCache.Load;

/// <summary>How bytes get to the servers.</summary>
internal enum Transport
{
    /// <summary>TCP in the open.</summary>
    Tcp,

    /// <summary>TCP, encrypted.</summary>
    Tls,

    /// <summary>Unix sockets.</summary>
    Unix,
}

/// <summary>A transport and its servers. Whatever differs between transports is here, for the bare loop and for the cache.</summary>
/// <param name="Transport">How bytes get there.</param>
/// <param name="Nodes">The servers as the cache's options name them.</param>
/// <param name="CertificateFile">The certificate of encrypted servers, which stands for its authority too.</param>
internal sealed record Way(Transport Transport, string[] Nodes, string? CertificateFile = null)
{
    /// <summary>Stands before the path of a Unix socket.</summary>
    public const string UnixPrefix = "unix:";

    /// <summary>The commands that the cache speaks.</summary>
    public MemcachedProtocol Protocol { get; init; } = MemcachedProtocol.Meta;

    /// <summary>The plain way, which others are compared with.</summary>
    public bool IsPlain => Transport == Transport.Tcp && Protocol == MemcachedProtocol.Meta;

    /// <summary>Ends the name of a subject that takes this way; empty for the plain one.</summary>
    public string Suffix
        => (Transport == Transport.Tcp ? "" : " " + Transport.ToString().ToLowerInvariant())
            + (Protocol == MemcachedProtocol.Meta ? "" : " " + Protocol.ToString().ToLowerInvariant());

    /// <summary>Has a cache take this way.</summary>
    public void Apply(MemcachedCacheOptions options)
    {
        options.Servers = Nodes;
        options.Protocol = Protocol;
        options.Tls.Enabled = Transport == Transport.Tls;
        options.Tls.CaFile = CertificateFile;
    }

    /// <summary>Has a bare loop take this way.</summary>
    public async Task<BareLoopTransport> ConnectAsync(string node)
    {
        bool isUnix = node.StartsWith(UnixPrefix, StringComparison.Ordinal);
        EndPoint endPoint = isUnix ? new UnixDomainSocketEndPoint(node[UnixPrefix.Length..]) : EndPointOf(node);
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        if (!isUnix)
        {
            socket.NoDelay = true;
        }

        await socket.ConnectAsync(endPoint);
        if (Transport != Transport.Tls)
        {
            return new BareLoopTransport(socket, null);
        }

        var stream = new SslStream(new NetworkStream(socket));
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust };
        trust.CustomTrustStore.ImportFromPemFile(CertificateFile!);
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = node.Split(':')[0], CertificateChainPolicy = trust });
        return new BareLoopTransport(socket, stream);
    }

    private static EndPoint EndPointOf(string node)
        => IPEndPoint.TryParse(node, out IPEndPoint? numbers) ? numbers
            : new DnsEndPoint(node[..node.LastIndexOf(':')], int.Parse(node[(node.LastIndexOf(':') + 1)..]));
}
