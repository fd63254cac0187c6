using System.Diagnostics;
using System.Net.Sockets;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MemcachedDistributedCache.Load;

/// <summary>
/// Memcached processes on loopback or on Unix sockets that belong to one run: they are ended by their own ids, whatever becomes of the run.
/// </summary>
internal sealed class LocalServers : IAsyncDisposable
{
    private const string CertificateFile = "server.pem";
    private const string KeyFile = "server.key";
    private readonly List<Process> _processes = [];
    private readonly List<string> _nodes = [];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("memcached-load");
    private readonly Transport _transport;

    private LocalServers(Transport transport) => _transport = transport;

    /// <summary>How they are reached.</summary>
    public Way Way => new(_transport, [.. _nodes], _transport == Transport.Tls ? PathOf(CertificateFile) : null);

    /// <summary>Starts processes and waits until they accept connections.</summary>
    public static async Task<LocalServers> StartAsync(Transport transport, int count, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        var servers = new LocalServers(transport);
        try
        {
            if (transport == Transport.Tls)
            {
                servers.WriteCertificate(lifetime);
            }

            for (int i = 0; i < count; i++)
            {
                await servers.StartOneAsync(lifetime, cancellationToken);
            }

            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (Process process in _processes)
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }

            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
        }

        _processes.Clear();
        _folder.Delete(recursive: true);
    }

    private async Task StartOneAsync(TimeSpan lifetime, CancellationToken cancellationToken)
    {
        EndPoint endPoint = _transport == Transport.Unix
            ? new UnixDomainSocketEndPoint(PathOf($"{_nodes.Count}.sock"))
            : new IPEndPoint(IPAddress.Loopback, FreePort());
        string[] place = endPoint is IPEndPoint tcp
            ? ["-l", "127.0.0.1", "-p", tcp.Port.ToString(), "-U", "0"]
            : ["-s", PathOf($"{_nodes.Count}.sock")];
        string[] encryption = _transport == Transport.Tls
            ? ["-Z", "-o", $"ssl_chain_cert={PathOf(CertificateFile)},ssl_key={PathOf(KeyFile)}"]
            : [];

        // `timeout` is the watchdog for the case that this process is killed and can end nothing any more.
        var start = new ProcessStartInfo("timeout") { UseShellExecute = false };
        foreach (string argument in (string[])["-s", "KILL", ((int)lifetime.TotalSeconds).ToString(), "memcached", "-u", "root", "-m", "512", .. place, .. encryption])
        {
            start.ArgumentList.Add(argument);
        }

        Process process = Process.Start(start) ?? throw new InvalidOperationException("memcached could not be started");
        _processes.Add(process);
        while (!await AcceptsAsync(endPoint, cancellationToken))
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException($"memcached ended with code {process.ExitCode} before it listened on {endPoint}");
            }

            await Task.Delay(10, cancellationToken);
        }

        _nodes.Add(endPoint is IPEndPoint ? endPoint.ToString()! : Way.UnixPrefix + endPoint);
    }

    /// <summary>A certificate for this machine that nobody has issued, and its key.</summary>
    private void WriteCertificate(TimeSpan lifetime)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=memcached", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 certificate = request.CreateSelfSigned(now.AddHours(-1), now + lifetime + TimeSpan.FromHours(1));
        File.WriteAllText(PathOf(CertificateFile), certificate.ExportCertificatePem());
        File.WriteAllText(PathOf(KeyFile), key.ExportPkcs8PrivateKeyPem());
    }

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);

    private static async Task<bool> AcceptsAsync(EndPoint endPoint, CancellationToken cancellationToken)
    {
        using var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(endPoint, cancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
