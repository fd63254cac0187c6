using System.Diagnostics;
using System.Net.Sockets;
using System.Net;

namespace MemcachedDistributedCache.Load;

/// <summary>Memcached processes on loopback that belong to one run: they are ended by their own ids, whatever becomes of the run.</summary>
internal sealed class LocalServers : IAsyncDisposable
{
    private readonly List<Process> _processes = [];

    /// <summary>Where they listen.</summary>
    public List<string> Nodes { get; } = [];

    /// <summary>Starts processes and waits until they accept connections.</summary>
    public static async Task<LocalServers> StartAsync(int count, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        var servers = new LocalServers();
        try
        {
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
    }

    private async Task StartOneAsync(TimeSpan lifetime, CancellationToken cancellationToken)
    {
        int port = FreePort();

        // `timeout` is the watchdog for the case that this process is killed and can end nothing any more.
        var start = new ProcessStartInfo("timeout") { UseShellExecute = false };
        foreach (string argument in (string[])["-s", "KILL", ((int)lifetime.TotalSeconds).ToString(), "memcached", "-u", "root", "-l", "127.0.0.1", "-p", port.ToString(), "-U", "0", "-m", "512"])
        {
            start.ArgumentList.Add(argument);
        }

        Process process = Process.Start(start) ?? throw new InvalidOperationException("memcached could not be started");
        _processes.Add(process);
        while (!await AcceptsAsync(port, cancellationToken))
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException($"memcached ended with code {process.ExitCode} before it listened on port {port}");
            }

            await Task.Delay(10, cancellationToken);
        }

        Nodes.Add($"127.0.0.1:{port}");
    }

    private static async Task<bool> AcceptsAsync(int port, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
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
