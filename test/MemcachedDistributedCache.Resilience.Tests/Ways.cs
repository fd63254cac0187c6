using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>The ways in which a real memcached is reached, and the options that each takes.</summary>
internal sealed class Ways : IDisposable
{
    /// <summary>The user of servers that ask for one.</summary>
    public const string User = "shop";

    /// <summary>The password of that user.</summary>
    public const string Password = "s3cr3t-wörd";

    private readonly TestCertificates _certificates = new();
    private readonly string _way;
    private int _started;

    public Ways(string way)
    {
        _way = way;
        _certificates.Issue("server");
        _certificates.Issue("client");
    }

    /// <summary>All ways but plain TCP, which every other test has.</summary>
    public static TheoryData<string> All => ["unix", "tls", "mutual tls", "auth", "auth tls"];

    /// <summary>Those of them that a proxy can stand in.</summary>
    public static TheoryData<string> OfTcp => ["tls", "mutual tls", "auth", "auth tls"];

    /// <summary>The authority's certificate.</summary>
    public string CaFile => _certificates.CaFile;

    /// <summary>Starts a server.</summary>
    public Task<MemcachedProcess> StartAsync()
    {
        string certificate = $"ssl_chain_cert={_certificates.PathOf("server.pem")},ssl_key={_certificates.PathOf("server.key")}";
        return _way switch
        {
            "unix" => MemcachedProcess.StartOnSocketAsync(_certificates.PathOf($"mc{_started++}.sock")),
            "auth" => MemcachedProcess.StartAsync("-Y", Users()),
            "auth tls" => MemcachedProcess.StartAsync("-Z", "-o", certificate, "-Y", Users()),
            "tls" => MemcachedProcess.StartAsync("-Z", "-o", certificate),
            _ => MemcachedProcess.StartAsync("-Z", "-o", $"{certificate},ssl_verify_mode=2,ssl_ca_cert={CaFile}"),
        };
    }

    /// <summary>Sets the options by which the servers are reached.</summary>
    public MemcachedCacheOptions Reach(MemcachedCacheOptions options)
    {
        if (_way.Contains("tls", StringComparison.Ordinal))
        {
            options.Tls.Enabled = true;
            options.Tls.CaFile = CaFile;
        }

        if (_way.StartsWith("auth", StringComparison.Ordinal))
        {
            (options.UserName, options.Password) = (User, Password);
        }

        if (_way == "mutual tls")
        {
            options.Tls.CertificateFile = _certificates.PathOf("client.pem");
            options.Tls.KeyFile = _certificates.PathOf("client.key");

            // By name: to an address the platform takes no session up again, and memcached refuses one that is.
            options.Tls.ServerName = "localhost";
        }

        return options;
    }

    /// <summary>TLS of a proxy that ends it before a server, and speaks it to clients as the server does.</summary>
    public FaultProxyTls Inside()
        => new()
        {
            ToClient = new SslServerAuthenticationOptions
            {
                ServerCertificate = X509Certificate2.CreateFromPemFile(_certificates.PathOf("server.pem"), _certificates.PathOf("server.key")),
            },
            ToServer = new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { X509CertificateLoader.LoadCertificateFromFile(CaFile) },
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            },
        };

    private string Users()
    {
        File.WriteAllText(_certificates.PathOf("users"), $"other:word\n{User}:{Password}\n");
        return _certificates.PathOf("users");
    }

    public void Dispose() => _certificates.Dispose();
}
