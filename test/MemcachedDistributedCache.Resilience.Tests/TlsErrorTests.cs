using System.Net.Sockets;
using System.Net;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>What goes wrong between a cache and a server that ought to speak TLS: the error says the cause and the option.</summary>
public sealed class TlsErrorTests : IDisposable
{
    private readonly TestCertificates _certificates = new();
    private readonly TestCertificates _others = new("Other authority");

    public void Dispose()
    {
        _certificates.Dispose();
        _others.Dispose();
    }

    [MemcachedFact]
    public async Task A_certificate_for_another_name_is_refused_unless_that_name_is_set()
    {
        await using MemcachedProcess server = await StartAsync(_certificates.Issue("server", "cache.example.com"));
        await TellsAsync(
            server.Server,
            static _ => { },
            "its certificate is for 'cache.example.com', and not for '127.0.0.1'",
            "Set Tls:ServerName to a name of the certificate");
        await WorksAsync(server, static options => options.Tls.ServerName = "cache.example.com");
    }

    [MemcachedFact]
    public async Task A_certificate_of_an_unknown_authority_is_refused()
    {
        await using MemcachedProcess server = await StartAsync(_others.Issue("server"));
        await TellsAsync(server.Server, static _ => { }, "was issued by 'CN=Other authority', which is not trusted", "in Tls:CaFile");
        await TellsAsync(server.Server, static options => options.Tls.CaFile = null, "was issued by 'CN=Other authority', which is not trusted", "in Tls:CaFile");
        await WorksAsync(server, options => options.Tls.CaFile = _others.CaFile);
    }

    [MemcachedFact]
    public async Task An_expired_certificate_is_refused_and_a_new_one_taken_while_the_cache_runs()
    {
        await using MemcachedProcess server = await StartAsync(_certificates.Issue("server", isExpired: true));
        await TellsAsync(server.Server, static _ => { }, "its certificate 'CN=server' is valid from", "Give the server a new certificate");
        await using MemcachedCache cache = CacheOn(server.Server, static _ => { }, new RecordingLogger());
        await Assert.ThrowsAsync<MemcachedUnavailableException>(() => cache.GetAsync("key"));
        await server.KillAsync();
        _certificates.Issue("server");
        await server.StartAgainAsync();
        await cache.ReadableAsync();
        await UseAsync(cache);
    }

    [MemcachedFact]
    public async Task A_server_without_TLS_is_told_by_its_answer()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await TellsAsync(server.Server, static _ => { }, "it listens without TLS", "Set Tls:Enabled to false");
    }

    [Fact]
    public async Task A_peer_that_does_not_answer_is_told_by_its_silence()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await TellsAsync(
            listener.LocalEndpoint.ToString()!,
            static options => options.ConnectTimeout = TimeSpan.FromSeconds(1),
            "did not answer the beginning of TLS within 1 s: it may listen without TLS",
            "Set Tls:Enabled to false");
    }

    [MemcachedFact]
    public async Task A_server_that_wants_a_certificate_gets_it_or_is_named()
    {
        await using MemcachedProcess server = await StartAsync(_certificates.Issue("server"), $",ssl_verify_mode=2,ssl_ca_cert={_certificates.CaFile}");
        await TellsAsync(server.Server, static _ => { }, "set Tls:CertificateFile", "It may ask for a client's certificate that it trusts");
        TestCertificates.Issued stranger = _others.Issue("client");
        await TellsAsync(server.Server, options => Use(options, stranger), "set Tls:CertificateFile", "It may ask for a client's certificate that it trusts");
        await WorksAsync(server, options => Use(options, _certificates.Issue("client")));
    }

    [MemcachedFact]
    public async Task A_client_certificate_that_is_replaced_holds_from_the_next_connection_on()
    {
        await using MemcachedProcess server = await StartAsync(_certificates.Issue("server"), $",ssl_verify_mode=2,ssl_ca_cert={_certificates.CaFile}");
        var logger = new RecordingLogger();
        await using MemcachedCache cache = CacheOn(server.Server, options => Use(options, _certificates.Issue("client", isExpired: true)), logger);
        await Assert.ThrowsAsync<MemcachedUnavailableException>(() => cache.GetAsync("key"));

        // In the middle of the change the files do not belong to each other; what was read before stays, and that is told.
        string key = _certificates.PathOf("client.key");
        File.Copy(_others.Issue("client").KeyFile, key, overwrite: true);
        await logger.SeesAsync("A file of certificates is missing or has changed to what cannot be used", 1);
        _certificates.Issue("client");
        await cache.ReadableAsync();
        await UseAsync(cache);
    }

    [MemcachedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_validation_callback_that_blocks_for_ever_holds_up_nobody_but_its_connection(bool sync)
    {
        await using MemcachedProcess server = await StartAsync(_certificates.Issue("server"));
        using var hold = new ManualResetEventSlim();
        var logger = new RecordingLogger();
        int calls = 0;
        await using MemcachedCache cache = CacheOn(
            server.Server,
            options =>
            {
                options.ConnectTimeout = TimeSpan.FromMilliseconds(500);
                options.OperationTimeout = TimeSpan.FromSeconds(1);
                options.Tls.ConfigureAuthentication(tls => tls.RemoteCertificateValidationCallback = (_, _, _, _) =>
                {
                    Interlocked.Increment(ref calls);
                    hold.Wait();
                    return hold.IsSet;
                });
            },
            logger);
        Task<byte[]?> reading = sync ? Blocking.Run(() => cache.Get("key")) : cache.GetAsync("key");
        await Assert.ThrowsAsync<MemcachedUnavailableException>(() => reading.WaitAsync(Eventually.Limit));

        // The node is tried again all the while, and the callback is not called again.
        await Eventually.True(() => logger.Count("the RemoteCertificateValidationCallback was called") != 0, "that is told");
        Assert.InRange(Volatile.Read(ref calls), 1, sync ? 2 : 1);
        hold.Set();
        await cache.ReadableAsync();
        await UseAsync(cache);
    }

    [MemcachedFact]
    public async Task A_callback_may_refuse_a_certificate_and_what_it_throws_is_told()
    {
        await using MemcachedProcess server = await StartAsync(_certificates.Issue("server"));
        await TellsAsync(
            server.Server,
            static options => options.Tls.ConfigureAuthentication(static tls => tls.RemoteCertificateValidationCallback = static (_, _, _, _) => false),
            "TLS handshake failed",
            "RemoteCertificateValidationCallback");
        await TellsAsync(
            server.Server,
            static options => options.Tls.ConfigureAuthentication(static _ => throw new InvalidOperationException("no certificate in the store")),
            "no certificate in the store",
            "");
    }

    private static void Use(MemcachedCacheOptions options, TestCertificates.Issued certificate)
        => (options.Tls.CertificateFile, options.Tls.KeyFile) = (certificate.CertificateFile, certificate.KeyFile);

    private static Task<MemcachedProcess> StartAsync(TestCertificates.Issued certificate, string further = "")
        => MemcachedProcess.StartAsync("-Z", "-o", $"ssl_chain_cert={certificate.CertificateFile},ssl_key={certificate.KeyFile}{further}");

    private MemcachedCache CacheOn(string server, Action<MemcachedCacheOptions> configure, RecordingLogger logger)
    {
        var options = new MemcachedCacheOptions
        {
            Servers = [server],
            FailureMode = MemcachedFailureMode.Throw,
            OperationTimeout = Eventually.Limit,
            ConnectTimeout = TimeSpan.FromSeconds(20),
            MaximumRetries = 0,
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(100),
            Tls = { Enabled = true, CaFile = _certificates.CaFile },
        };
        configure(options);
        return new MemcachedCache(options, logger);
    }

    /// <summary>The call that meets the failure, one that finds the node down, and one that blocks, and the log.</summary>
    private async Task TellsAsync(string server, Action<MemcachedCacheOptions> configure, string cause, string remedy)
    {
        var logger = new RecordingLogger();
        await using MemcachedCache cache = CacheOn(server, configure, logger);
        MemcachedUnavailableException first = await Assert.ThrowsAsync<MemcachedUnavailableException>(() => cache.GetAsync("key"));
        AssertTells(first.Message);
        await logger.SeesAsync($"memcached {server} is down", 1);
        AssertTells(logger.Texts(LogLevel.Warning)[0]);
        AssertTells(Assert.Throws<MemcachedUnavailableException>(() => cache.Get("key")).Message);

        // The first call of another cache blocks, and meets the failure itself.
        await using MemcachedCache blocking = CacheOn(server, configure, new RecordingLogger());
        AssertTells((await Assert.ThrowsAsync<MemcachedUnavailableException>(() => Blocking.Run(() => blocking.Get("key")))).Message);

        void AssertTells(string text)
        {
            Assert.Contains(server, text, StringComparison.Ordinal);
            Assert.Contains(cause, text, StringComparison.Ordinal);
            Assert.Contains(remedy, text, StringComparison.Ordinal);
        }
    }

    private async Task WorksAsync(MemcachedProcess server, Action<MemcachedCacheOptions> configure)
    {
        await using MemcachedCache cache = CacheOn(server.Server, configure, new RecordingLogger());
        await UseAsync(cache);
    }

    private static async Task UseAsync(MemcachedCache cache)
    {
        byte[] value = KeyedValues.Create(1, 1, 100_000);
        await cache.SetAsync("key", value, new());
        Assert.Equal(value, await Blocking.Run(() => cache.Get("key")));
        Assert.Equal(value, await cache.GetAsync("key"));
    }
}
