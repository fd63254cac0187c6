using System.Net.Security;

namespace MemcachedDistributedCache.Embedded;

/// <summary>
/// TLS of a <see cref="FaultProxy"/> that ends it, so that faults befall what is inside of it. Without, the proxy carries TLS as it
/// carries any bytes, and faults befall the records.
/// </summary>
public sealed record FaultProxyTls
{
    /// <summary>The certificate and other options towards clients. Default null: clients speak without TLS.</summary>
    public SslServerAuthenticationOptions? ToClient { get; init; }

    /// <summary>The options towards the server. Default null: the server speaks without TLS.</summary>
    public SslClientAuthenticationOptions? ToServer { get; init; }
}
