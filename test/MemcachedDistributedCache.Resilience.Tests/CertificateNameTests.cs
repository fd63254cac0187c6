using System.Net;
using System.Net.Security;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>The name that a certificate must have: that of the configuration, and not the address that is connected to.</summary>
public sealed class CertificateNameTests : IDisposable
{
    private readonly TestCertificates _certificates = new();
    private readonly EmbeddedMemcached _server;

    public CertificateNameTests()
        => _server = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions
        {
            // For the name alone.
            Tls = new SslServerAuthenticationOptions { ServerCertificate = _certificates.Issue("server", "second.test").Load() },
        });

    public void Dispose()
    {
        _server.Dispose();
        _certificates.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Each_address_of_a_name_has_the_certificate_of_the_name(bool sync)
    {
        await using MemcachedCache cache = CacheOn("second.test", ";addresses=each");
        Assert.Equal(_server.Servers[0], Assert.Single(cache.GetNodes()).Server);
        await UseAsync(cache, sync);
        await using MemcachedCache other = CacheOn("127.0.0.1", "");
        await AssertRefusedAsync(other, "127.0.0.1", sync);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_name_that_a_reload_replaces_holds_for_new_connections_of_the_same_node(bool sync)
    {
        await using MemcachedCache cache = CacheOn("first.test", ";addresses=each");
        await AssertRefusedAsync(cache, "first.test", sync);
        await cache.ReloadAsync([$"second.test:{_server.Nodes[0].EndPoint.Port};addresses=each"]);
        Assert.Equal(_server.Servers[0], Assert.Single(cache.GetNodes()).Server);
        await cache.ReadableAsync();
        await UseAsync(cache, sync);
    }

    private static async Task AssertRefusedAsync(MemcachedCache cache, string name, bool sync)
    {
        MemcachedUnavailableException refused = await Assert.ThrowsAsync<MemcachedUnavailableException>(
            async () => _ = sync ? await Blocking.Run(() => cache.Get("key")) : await cache.GetAsync("key"));
        Assert.Contains($"its certificate is for 'second.test', and not for '{name}'", refused.Message, StringComparison.Ordinal);
    }

    private static async Task UseAsync(MemcachedCache cache, bool sync)
    {
        byte[] value = KeyedValues.Create(1, 1, 1000);
        await cache.SetAsync("key", value, new());
        Assert.Equal(value, sync ? await Blocking.Run(() => cache.Get("key")) : await cache.GetAsync("key"));
    }

    private MemcachedCache CacheOn(string host, string setting)
        => new(
            new MemcachedCacheOptions
            {
                Servers = [$"{host}:{_server.Nodes[0].EndPoint.Port}{setting}"],
                FailureMode = MemcachedFailureMode.Throw,
                OperationTimeout = Eventually.Limit,
                ConnectTimeout = TimeSpan.FromSeconds(20),
                MaximumRetries = 0,
                MaximumReconnectDelay = TimeSpan.FromMilliseconds(100),
                Tls = { Enabled = true, CaFile = _certificates.CaFile },
            },
            new RecordingLogger(),
            timeProvider: null,
            meterFactory: null,
            name: null,
            new Loopback());

    /// <summary>Every name leads to this machine.</summary>
    private sealed class Loopback : NameResolver
    {
        public override Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => Task.FromResult(Resolve(host));

        public override IPAddress[] Resolve(string host) => [IPAddress.Loopback];
    }
}
