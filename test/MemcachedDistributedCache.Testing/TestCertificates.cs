using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MemcachedDistributedCache.Testing;

/// <summary>An authority and the certificates that it issues, as files in a folder of their own, for the time of one test.</summary>
public sealed class TestCertificates : IDisposable
{
    private static readonly TimeSpan Validity = TimeSpan.FromDays(2);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("memcached-tls");
    private readonly X509Certificate2 _authority;

    /// <summary>Makes an authority, and writes its certificate down.</summary>
    public TestCertificates(string name = "Test authority")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        _authority = request.CreateSelfSigned(now - Validity, now + Validity);
        CaFile = Write("ca.pem", _authority.ExportCertificatePem());
    }

    /// <summary>The authority's certificate.</summary>
    public string CaFile { get; }

    /// <summary>The path of a file, which need not exist.</summary>
    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Issues a certificate for a host of this machine, or another, and writes it and its key down.</summary>
    /// <param name="name">The files are called <c>name.pem</c> and <c>name.key</c>; those that are there are replaced.</param>
    /// <param name="host">The DNS name in the certificate; null for <c>localhost</c> and 127.0.0.1.</param>
    /// <param name="isExpired">It was valid until an hour ago.</param>
    public Issued Issue(string name, string? host = null, bool isExpired = false)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host ?? "localhost");
        if (host is null)
        {
            names.AddIpAddress(IPAddress.Loopback);
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        DateTimeOffset until = isExpired ? now.AddHours(-1) : now.AddDays(1);
        using X509Certificate2 certificate = request.Create(_authority, now.AddDays(-1), until, RandomNumberGenerator.GetBytes(8));
        return new Issued(Write(name + ".pem", certificate.ExportCertificatePem()), Write(name + ".key", key.ExportPkcs8PrivateKeyPem()));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _authority.Dispose();
        _folder.Delete(recursive: true);
    }

    private string Write(string name, string text)
    {
        // In one step, as tools replace certificates: nobody reads half of it.
        File.WriteAllText(PathOf(name + ".new"), text + "\n");
        File.Move(PathOf(name + ".new"), PathOf(name), overwrite: true);
        return PathOf(name);
    }

    /// <summary>The files of a certificate and its key.</summary>
    public sealed record Issued(string CertificateFile, string KeyFile)
    {
        /// <summary>The certificate with its key, to be used by this process.</summary>
        public X509Certificate2 Load() => X509Certificate2.CreateFromPemFile(CertificateFile, KeyFile);
    }
}
