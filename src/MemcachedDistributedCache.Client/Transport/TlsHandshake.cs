using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// One TLS handshake: its options, what was found wrong with the server's certificate, and the words for a failure. The
/// certificate is judged by the rules of the platform and the options; the callback here only notes the judgement.
/// </summary>
/// <param name="settings">How connections are encrypted.</param>
/// <param name="address">The server.</param>
/// <param name="turn">The right to run the application's callbacks; null where there are none.</param>
internal sealed class TlsHandshake(TlsSettings settings, ServerAddress address, CallbackTurn? turn)
{
    private readonly string _name = settings.NameOf(address);
    private string? _refusal;

    /// <summary>
    /// The options of one connection. They run code of the application (<see cref="TlsSettings.Configure"/>), and so does the
    /// handshake with them (a callback that validates certificates).
    /// </summary>
    /// <param name="limit">How long the platform may ask others whether a certificate is revoked.</param>
    public SslClientAuthenticationOptions Options(TimeSpan limit)
    {
        TlsCertificates.Set certificates = settings.Certificates.Read();
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = _name,
            EnabledSslProtocols = settings.Protocols,

            // A server that began anew in the middle would run the application's callbacks on the read loop.
            AllowRenegotiation = false,

            // memcached with client certificates refuses a session that is taken up again, and connections are few.
            AllowTlsResume = false,
            ClientCertificateContext = certificates.Client,
            CertificateChainPolicy = new X509ChainPolicy
            {
                RevocationMode = settings.RevocationMode,

                // A server sends its chain. To look for a part of it elsewhere would take time and threads nobody reckons with.
                DisableCertificateDownloads = settings.RevocationMode != X509RevocationMode.Online,
                UrlRetrievalTimeout = limit,
            },
        };
        if (certificates.Authorities is { } authorities)
        {
            options.CertificateChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            options.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        }

        if (turn is not null)
        {
            Configure(options, turn);
        }

        options.RemoteCertificateValidationCallback ??= Judge;
        return options;
    }

    /// <summary>The failure of a handshake with its cause in words; other failures as they are.</summary>
    public Exception Explain(Exception exception, TransportStream stream, TimeSpan limit)
    {
        if (exception is TlsException)
        {
            return exception;
        }

        if (_refusal is not null)
        {
            return new TlsException(_refusal, exception);
        }

        if (stream.FirstByte is { } first and not (>= 0x14 and <= 0x17))
        {
            return new TlsException(
                $"it answered the beginning of TLS with a byte 0x{first:x2} that is none of TLS: it listens without TLS. Set Tls:Enabled to false, or start memcached with -Z",
                exception);
        }

        if (exception is OperationCanceledException or TimeoutException)
        {
            return new TlsException(
                turn?.Running is { } callback
                    ? $"{callback} has not returned within {limit.TotalSeconds:0.###} s. Correct the callback that Tls.ConfigureAuthentication was given, or raise ConnectTimeout"
                    : stream.FirstByte is null
                    ? $"it did not answer the beginning of TLS within {limit.TotalSeconds:0.###} s: it may listen without TLS. Set Tls:Enabled to false, or start memcached with -Z; if it is only slow, raise ConnectTimeout"
                    : $"the TLS handshake did not end within {limit.TotalSeconds:0.###} s. Raise ConnectTimeout, or look at what Tls:RevocationMode and callbacks of the application wait for",
                exception);
        }

        return exception is AuthenticationException or IOException
            ? new TlsException(
                $"the TLS handshake failed: {SocketEnd.MessageOf(exception)} Check Tls:Protocols, and Tls:CertificateFile if the server asks for a client's certificate".Replace("..", ".", StringComparison.Ordinal),
                exception)
            : exception;
    }

    /// <summary>Has the application change the options; what it sets of callbacks runs by the turn.</summary>
    private void Configure(SslClientAuthenticationOptions options, CallbackTurn callbacks)
    {
        callbacks.Run("the callback of Tls.ConfigureAuthentication", () =>
        {
            settings.Configure!(options);
            return true;
        });
        if (options.RemoteCertificateValidationCallback is { } validate)
        {
            options.RemoteCertificateValidationCallback = (sender, certificate, chain, errors)
                => callbacks.Run("the RemoteCertificateValidationCallback", () => validate(sender, certificate, chain, errors));
        }

        if (options.LocalCertificateSelectionCallback is { } select)
        {
            options.LocalCertificateSelectionCallback = (sender, host, local, remote, issuers)
                => callbacks.Run("the LocalCertificateSelectionCallback", () => select(sender, host, local, remote, issuers));
        }
    }

    private bool Judge(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors != SslPolicyErrors.None)
        {
            _refusal = certificate is not X509Certificate2 found || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable) ? "it has sent no certificate"
                : errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors) ? OfChain(found, chain)
                : $"its certificate is for {Names(found)}, and not for '{_name}', as the server is named in Servers. Set Tls:ServerName to a name of the certificate, or give the server another certificate";
        }

        return errors == SslPolicyErrors.None;
    }

    private static string OfChain(X509Certificate2 certificate, X509Chain? chain)
    {
        X509ChainStatus[] states = chain?.ChainStatus ?? [];
        X509ChainStatusFlags all = states.Aggregate(X509ChainStatusFlags.NoError, static (flags, state) => flags | state.Status);
        if (all.HasFlag(X509ChainStatusFlags.NotTimeValid))
        {
            X509Certificate2 invalid = chain!.ChainElements
                .FirstOrDefault(static element => element.ChainElementStatus.Any(static state => state.Status == X509ChainStatusFlags.NotTimeValid))
                ?.Certificate ?? certificate;
            return $"its certificate '{Printable(invalid.Subject)}' is valid from {invalid.NotBefore.ToUniversalTime():u} to {invalid.NotAfter.ToUniversalTime():u}, and not now. Give the server a new certificate, or correct the clock of this machine";
        }

        if ((all & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != X509ChainStatusFlags.NoError)
        {
            return $"its certificate '{Printable(certificate.Subject)}' was issued by '{Printable(certificate.Issuer)}', which is not trusted. Name a file with the certificate of that authority in Tls:CaFile";
        }

        const X509ChainStatusFlags Revocation = X509ChainStatusFlags.Revoked | X509ChainStatusFlags.RevocationStatusUnknown | X509ChainStatusFlags.OfflineRevocation;
        return (all & Revocation) != X509ChainStatusFlags.NoError
            ? $"its certificate '{Printable(certificate.Subject)}' is revoked, or nobody tells whether it is ({all}). Give the server a new certificate, or set Tls:RevocationMode to NoCheck"
            : $"its certificate '{Printable(certificate.Subject)}' is not valid ({all}). Give the server another certificate";
    }

    /// <summary>Text of a certificate that nobody vouches for, as it may stand in a log.</summary>
    private static string Printable(string text)
        => string.Concat(text.Take(120).Select(static letter => char.IsControl(letter) || char.IsSurrogate(letter) ? '?' : letter));

    private static string Names(X509Certificate2 certificate)
    {
        string[] names =
        [
            .. certificate.Extensions
                .OfType<X509SubjectAlternativeNameExtension>()
                .SelectMany(static extension => extension.EnumerateDnsNames().Concat(extension.EnumerateIPAddresses().Select(static ip => ip.ToString())))
                .Take(8),
        ];
        return names.Length == 0 ? $"'{Printable(certificate.Subject)}'" : string.Join(", ", names.Select(static name => $"'{Printable(name)}'"));
    }
}
