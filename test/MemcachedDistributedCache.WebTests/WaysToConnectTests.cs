using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.WebTests;

/// <summary>The same application on each way to reach a real memcached, by configuration alone.</summary>
public sealed class WaysToConnectTests : IDisposable
{
    private readonly TestCertificates _certificates = new();

    public void Dispose() => _certificates.Dispose();

    [MemcachedTheory]
    [InlineData("unix")]
    [InlineData("tls")]
    [InlineData("tls and password")]
    [InlineData("classic")]
    public async Task The_sample_runs_by_configuration_alone(string way)
    {
        _certificates.Issue("server");
        string certificate = $"ssl_chain_cert={_certificates.PathOf("server.pem")},ssl_key={_certificates.PathOf("server.key")}";
        await File.WriteAllTextAsync(_certificates.PathOf("users"), "shop:word\n");
        await File.WriteAllTextAsync(_certificates.PathOf("password"), "word\n");
        (string, string)[] encrypted = [("Memcached:Tls:Enabled", "true"), ("Memcached:Tls:CaFile", _certificates.CaFile)];
        await using MemcachedProcess server = await (way switch
        {
            "unix" => MemcachedProcess.StartOnSocketAsync(_certificates.PathOf("mc.sock")),
            "tls" => MemcachedProcess.StartAsync("-Z", "-o", certificate),
            "classic" => MemcachedProcess.StartAsync(),
            _ => MemcachedProcess.StartAsync("-Z", "-o", certificate, "-Y", _certificates.PathOf("users")),
        });
        (string, string)[] settings =
        [
            ("Memcached:Servers:0", server.Server),
            .. way switch
            {
                "tls" => encrypted,
                "tls and password" => [.. encrypted, ("Memcached:UserName", "shop"), ("Memcached:PasswordFile", _certificates.PathOf("password"))],
                "classic" => [("Memcached:Protocol", "Classic")],
                _ => Array.Empty<(string, string)>(),
            },
        ];
        await using var cluster = SampleCluster.WithoutNodes();
        SampleApp first = cluster.NewApp(null, settings);
        SampleApp second = cluster.NewApp(null, settings);
        using HttpClient one = first.NewClient();
        using HttpClient other = second.NewClient();
        Assert.Equal("MISS", (await one.GetProductAsync(1)).Cache);
        Assert.Equal("L2", (await other.GetProductAsync(1)).Cache);
        string cookie = await one.BeginSessionAsync();
        Assert.Equal(2, (await other.VisitAsync(cookie)).Visits);
        Assert.Equal(("Up", server.Server), Assert.Single((await one.GetNodesAsync()).Select(static node => (node.State, node.Server))));
    }
}
