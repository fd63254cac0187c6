using System.Net.Sockets;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Security.Cryptography;
using System.Text;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Servers that are well and cannot be used: whoever reads the exception or the log learns what to change.</summary>
public sealed class OtherPeerTests
{
    [MemcachedTheory]
    [InlineData("-Y", "asks for authentication (memcached -Y)")]
    [InlineData("-B", "the binary protocol (-B binary")]
    [InlineData("-Z", "TLS (memcached -Z)")]
    public async Task A_memcached_that_speaks_otherwise_is_named_with_the_remedy(string manner, string expected)
    {
        DirectoryInfo files = Directory.CreateTempSubdirectory("memcached-peer");
        try
        {
            await using MemcachedProcess server = await MemcachedProcess.StartAsync(manner switch
            {
                "-Y" => ["-Y", WriteUsers(files)],
                "-B" => ["-B", "binary"],
                _ => ["-Z", "-o", WriteCertificate(files)],
            });
            await TellsAsync(server.Server, expected);
        }
        finally
        {
            files.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("-ERR unknown command 'version'\r\n", "Redis")]
    [InlineData("-NOAUTH Authentication required.\r\n", "Redis")]
    [InlineData("HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP server")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n", "SSH server")]
    [InlineData("220 mail.example ESMTP\r\n", "no memcached")]
    [InlineData("\u0015\u0003\u0003\0\u0002\u0002\u0046", "TLS (memcached -Z)")]
    [InlineData("ERROR Too many open connections\r\n", "Raise its -c")]
    public async Task Another_server_is_named_with_the_remedy(string answer, string expected)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var stop = new CancellationTokenSource();
        Task serving = ServeAsync(listener, Encoding.Latin1.GetBytes(answer), stop.Token);
        await TellsAsync(listener.LocalEndpoint.ToString()!, expected);
        await stop.CancelAsync();
        await serving;
    }

    private static async Task TellsAsync(string server, string expected)
    {
        var logger = new RecordingLogger();
        await using var cache = new MemcachedCache(
            new MemcachedCacheOptions
            {
                Servers = [server],
                FailureMode = MemcachedFailureMode.Throw,
                OperationTimeout = Eventually.Limit,
                ConnectTimeout = Eventually.Limit,
                MaximumRetries = 0,
            },
            logger);

        // The call that meets it, one that finds the node down, and one that blocks.
        MemcachedUnavailableException first = await Assert.ThrowsAsync<MemcachedUnavailableException>(() => cache.GetAsync("key"));
        Assert.True(first.Message.Contains(expected, StringComparison.Ordinal), first.ToString());
        Assert.Equal((MemcachedFailureReason.Unavailable, false), (first.Reason, first.WasSent));
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        await logger.SeesAsync("is down", 1);
        Assert.Contains(expected, logger.Texts(LogLevel.Warning)[0], StringComparison.Ordinal);
        MemcachedUnavailableException later = await Assert.ThrowsAsync<MemcachedUnavailableException>(() =>
            cache.SetAsync("key", [1], new DistributedCacheEntryOptions()));
        Assert.Contains(expected, later.Message, StringComparison.Ordinal);
        Assert.Contains(expected, Assert.Throws<MemcachedUnavailableException>(() => cache.Get("key")).Message, StringComparison.Ordinal);
    }

    private static async Task ServeAsync(TcpListener listener, byte[] answer, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                using TcpClient client = await listener.AcceptTcpClientAsync(stop);
                byte[] heard = new byte[100];
                int count = await client.GetStream().ReadAsync(heard, stop);
                await client.GetStream().WriteAsync(answer, stop);
                while (count != 0)
                {
                    count = await client.GetStream().ReadAsync(heard, stop);
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // The test is over, or the client has heard enough.
            if (!stop.IsCancellationRequested)
            {
                await ServeAsync(listener, answer, stop);
            }
        }
    }

    private static string WriteUsers(DirectoryInfo files)
    {
        string path = Path.Combine(files.FullName, "users");
        File.WriteAllText(path, "user:password\n");
        return path;
    }

    private static string WriteCertificate(DirectoryInfo files)
    {
        using var key = RSA.Create(2048);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 certificate = new CertificateRequest(
            "CN=localhost",
            key,
            HashAlgorithmName.SHA256,
            RSASignaturePadding.Pkcs1).CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        string chain = Path.Combine(files.FullName, "chain.pem");
        string secret = Path.Combine(files.FullName, "key.pem");
        File.WriteAllText(chain, certificate.ExportCertificatePem());
        File.WriteAllText(secret, key.ExportPkcs8PrivateKeyPem());
        return $"ssl_chain_cert={chain},ssl_key={secret}";
    }
}
