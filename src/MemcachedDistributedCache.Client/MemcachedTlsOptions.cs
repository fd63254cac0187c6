using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using MemcachedDistributedCache.Options;

namespace MemcachedDistributedCache;

/// <summary>
/// The options of encrypted connections (memcached <c>-Z</c>, ElastiCache with encryption in transit). They hold for all servers
/// that are reached by TCP; a Unix socket is never encrypted. Files are read when the host starts, where one that cannot be used is
/// an error, and again for each new connection, where what was read before stays in force while a file cannot be used.
/// </summary>
public sealed class MemcachedTlsOptions
{
    /// <summary>
    /// With true the connections to all servers of TCP are encrypted, and each server's certificate is checked.
    /// Default: false.
    /// </summary>
    public bool Enabled { get; set; }

    /// <summary>
    /// The name that the certificates of all servers must have. Default: not set, which is the host of each server as
    /// <see cref="MemcachedClientOptions.Servers"/> has it, also with <c>addresses=each</c>.
    /// </summary>
    [Text]
    public string? ServerName { get; set; }

    /// <summary>
    /// A file in PEM with the certificates of the authorities that may have issued the servers' certificates; no others are trusted
    /// then. A self-signed certificate stands there itself. Default: not set, which is the certificate store of the system.
    /// </summary>
    [Text]
    public string? CaFile { get; set; }

    /// <summary>
    /// A file in PEM or PFX with the certificate of this client, and those that lead from it to its authority, for servers that ask for
    /// one (memcached <c>-o ssl_verify_mode</c>). Default: not set.
    /// </summary>
    [Text]
    public string? CertificateFile { get; set; }

    /// <summary>
    /// A file in PEM with the private key of <see cref="CertificateFile"/>. Default: not set, which is the key in that file.
    /// </summary>
    [Text]
    public string? KeyFile { get; set; }

    /// <summary>The password of the private key or of the PFX file. Default: not set.</summary>
    [Secret]
    public string? KeyPassword { get; set; }

    /// <summary>
    /// The versions of TLS that are spoken: <c>Tls12</c>, <c>Tls13</c>, <c>Tls12, Tls13</c>, or <c>None</c>, which leaves them to the
    /// operating system. Default: <see cref="SslProtocols.None"/>.
    /// </summary>
    [TlsProtocols]
    public SslProtocols Protocols { get; set; }

    /// <summary>
    /// How it is found out whether a server's certificate has been revoked: not at all, by asking over the network
    /// (<see cref="X509RevocationMode.Online"/>), or by lists that the system has stored. To ask takes part of
    /// <see cref="MemcachedClientOptions.ConnectTimeout"/>, and a list that cannot be had is an error. Default:
    /// <see cref="X509RevocationMode.NoCheck"/>.
    /// </summary>
    [OneOf(typeof(X509RevocationMode))]
    public X509RevocationMode RevocationMode { get; set; } = X509RevocationMode.NoCheck;

    /// <summary>The callback that <see cref="ConfigureAuthentication"/> was given.</summary>
    internal Action<SslClientAuthenticationOptions>? Authentication { get; private set; }

    /// <summary>
    /// Changes the options of TLS in code, after all that is configured here: cipher suites, a callback that validates certificates, a
    /// certificate from a store. The callback runs for each new connection, on a thread that serves no other; what it throws is
    /// the reason why there is no connection. A <c>RemoteCertificateValidationCallback</c> takes the place of all checks. Each of them
    /// has to return within <see cref="MemcachedClientOptions.ConnectTimeout"/>: while one runs longer, further connections to its server
    /// fail at once.
    /// </summary>
    /// <param name="configure">Changes the options; what is given in several calls runs in their order.</param>
    /// <exception cref="ArgumentNullException"><paramref name="configure"/> is null.</exception>
    public void ConfigureAuthentication(Action<SslClientAuthenticationOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Authentication += configure;
    }
}
