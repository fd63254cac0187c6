using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// The certificates of the options, from their files. Each new connection reads the files: a certificate that is replaced
/// holds for the connections from then on. Only content that has changed is parsed. Times of files are not looked at: a
/// mounted Kubernetes secret is replaced behind links whose own times stay as they are. Files that cannot be used, as in the
/// middle of being written, leave what was read before in force. Thread-safe.
/// </summary>
/// <param name="authorityFile">PEM with the certificates of the authorities that are trusted; null for the system's.</param>
/// <param name="certificateFile">PEM or PFX with this client's certificate; null for none.</param>
/// <param name="keyFile">PEM with the private key; null where it is in <paramref name="certificateFile"/>.</param>
/// <param name="keyPassword">Opens the private key; null where it needs none.</param>
internal sealed class TlsCertificates(string? authorityFile, string? certificateFile, string? keyFile, string? keyPassword)
{
    private readonly Lock _lock = new();
    private byte[][]? _content;
    private byte[][]? _refused;
    private Set? _current;

    /// <summary>
    /// Told of files that cannot be used while what was read before is in force, once for each content until they can be used again.
    /// </summary>
    public Action<string>? Refused { get; set; }

    /// <summary>The result of the read.</summary>
    /// <param name="Authorities">The authorities that are trusted; null for the system's.</param>
    /// <param name="Client">This client's certificate with its chain; null for none.</param>
    internal sealed record Set(X509Certificate2Collection? Authorities, SslStreamCertificateContext? Client);

    /// <summary>The certificates as the files are now, or as they were when they could be used last.</summary>
    /// <exception cref="TlsException">They cannot be used, and never could. The message names the option.</exception>
    public Set Read()
    {
        lock (_lock)
        {
            byte[][]? content = null;
            try
            {
                content = [ReadFile("CaFile", authorityFile), ReadFile("CertificateFile", certificateFile), ReadFile("KeyFile", keyFile)];
                if (_current is null || !AreSame(content, _content))
                {
                    _current = new Set(
                        authorityFile is null ? null : Authorities(content[0]),
                        certificateFile is null ? null : Client(content[1], content[2]));
                    _content = content;
                }

                _refused = null;
                return _current;
            }
            catch (TlsException exception) when (_current is not null)
            {
                if (_refused is null || !AreSame(content ?? [], _refused))
                {
                    _refused = content ?? [];
                    Refused?.Invoke(exception.Message);
                }

                return _current;
            }
        }
    }

    private static bool AreSame(byte[][] content, byte[][]? other)
        => other is not null && content.Length == other.Length && content.Zip(other).All(static pair => pair.First.AsSpan().SequenceEqual(pair.Second));

    private static byte[] ReadFile(string option, string? path)
    {
        try
        {
            return path is null ? [] : File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new TlsException($"Tls:{option} is '{path}', which cannot be read: {exception.Message}", exception);
        }
    }

    private X509Certificate2Collection Authorities(byte[] content)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPem(Encoding.UTF8.GetString(content));
        }
        catch (CryptographicException exception)
        {
            throw new TlsException($"Tls:CaFile is '{authorityFile}', which holds what is no certificate: {exception.Message}", exception);
        }

        return authorities.Count != 0
            ? authorities
            : throw new TlsException($"Tls:CaFile is '{authorityFile}', which holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
    }

    private SslStreamCertificateContext Client(byte[] certificate, byte[] key)
    {
        try
        {
            (X509Certificate2 own, X509Certificate2Collection others) = certificate.AsSpan().IndexOf("-----BEGIN"u8) >= 0
                ? FromPem(Encoding.UTF8.GetString(certificate), Encoding.UTF8.GetString(keyFile is null ? certificate : key))
                : FromPfx(certificate);
            return SslStreamCertificateContext.Create(own, others, offline: true);
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            string password = keyPassword is null ? "or it needs Tls:KeyPassword" : "or Tls:KeyPassword is wrong";
            throw new TlsException(
                $"Tls:CertificateFile is '{certificateFile}'{(keyFile is null ? "" : $" and Tls:KeyFile '{keyFile}'")}, which hold no certificate with its private key in PEM or PFX, {password}",
                exception);
        }
    }

    private (X509Certificate2 Own, X509Certificate2Collection Others) FromPem(string certificate, string key)
    {
        X509Certificate2 own = keyPassword is null
            ? X509Certificate2.CreateFromPem(certificate, key)
            : X509Certificate2.CreateFromEncryptedPem(certificate, key, keyPassword);
        var others = new X509Certificate2Collection();
        others.ImportFromPem(certificate);
        others.RemoveAt(0);
        return (WithStoredKey(own), others);
    }

    private (X509Certificate2 Own, X509Certificate2Collection Others) FromPfx(byte[] content)
    {
        X509Certificate2Collection all = X509CertificateLoader.LoadPkcs12Collection(content, keyPassword);
        X509Certificate2 own = all.FirstOrDefault(static certificate => certificate.HasPrivateKey)
            ?? throw new CryptographicException("There is no certificate with a private key.");
        all.Remove(own);
        return (own, all);
    }

    /// <summary>Windows cannot use a key for TLS that is in memory only.</summary>
    private static X509Certificate2 WithStoredKey(X509Certificate2 certificate)
        => OperatingSystem.IsWindows() ? X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null) : certificate;
}
