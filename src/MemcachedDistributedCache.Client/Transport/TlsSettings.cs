using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace MemcachedDistributedCache.Transport;

/// <summary>The settings of encryption. No record: what it holds is in no text.</summary>
internal sealed class TlsSettings
{
    /// <summary>The certificates of both sides.</summary>
    public required TlsCertificates Certificates { get; init; }

    /// <summary>The name that the servers' certificates must have; null for the host of each server as it is configured.</summary>
    public string? ServerName { get; init; }

    /// <summary>The versions of TLS; <see cref="SslProtocols.None"/> leaves them to the operating system.</summary>
    public SslProtocols Protocols { get; init; }

    /// <summary>The check of certificates for being revoked.</summary>
    public X509RevocationMode RevocationMode { get; init; }

    /// <summary>The application's own changes, made for each connection.</summary>
    public Action<SslClientAuthenticationOptions>? Configure { get; init; }

    /// <summary>The name that a server's certificate must have.</summary>
    public string NameOf(ServerAddress address) => ServerName ?? address.ConfiguredHost;
}
