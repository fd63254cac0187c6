using System.Diagnostics;
using System.Net.Sockets;
using System.Net;
using System.Runtime.InteropServices;

namespace MemcachedDistributedCache.Testing;

/// <summary>
/// One real memcached process on a loopback port, owned by the test that started it: it is stopped, frozen, killed and
/// restarted by its own process id, and a watchdog ends it where the test process no longer can.
/// </summary>
public sealed class MemcachedProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<int, bool> Given = new();

    private readonly string[] _arguments;
    private readonly string? _socketPath;
    private readonly IReadOnlyDictionary<string, string> _environment;
    private Process? _process;
    private volatile bool _frozen;

    private MemcachedProcess(
        IPAddress address,
        int port,
        string[] arguments,
        IReadOnlyDictionary<string, string> environment,
        string? socketPath = null)
    {
        EndPoint = new IPEndPoint(address, port);
        _socketPath = socketPath;
        _arguments = arguments;
        _environment = environment;
    }

    /// <summary>
    /// How long a process started from now on may live: the watchdog for the case that this process is killed and can
    /// end nothing any more. 15 minutes by default.
    /// </summary>
    public static TimeSpan Lifetime { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>Where the server listens; the same after a restart. Without meaning for a server on a Unix socket.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>The end point, or the Unix socket, as a server string of the cache's options.</summary>
    public string Server => _socketPath is null ? EndPoint.ToString() : "unix:" + _socketPath;

    /// <summary>The id of the running process.</summary>
    public int ProcessId => (_process ?? throw new InvalidOperationException("memcached is not running")).Id;

    /// <summary>Starts memcached on a free loopback port and waits until it accepts connections.</summary>
    /// <param name="arguments">Further arguments, such as <c>-I 2m</c>.</param>
    public static Task<MemcachedProcess> StartAsync(params string[] arguments)
        => StartAsync(IPAddress.Loopback, new Dictionary<string, string>(StringComparer.Ordinal), arguments);

    /// <summary>Starts memcached on a free port of a loopback address, with environment variables added to ours.</summary>
    public static async Task<MemcachedProcess> StartAsync(IPAddress address, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        // Another process can take the port between the probe and memcached's own bind, so a lost race picks another.
        for (int attempt = 1; ; attempt++)
        {
            var server = new MemcachedProcess(address, OwnPort(address), arguments, environment);
            try
            {
                await server.StartAgainAsync();
                return server;
            }
            catch (InvalidOperationException) when (attempt < 5)
            {
                await server.DisposeAsync();
            }
        }
    }

    /// <summary>Starts memcached on a Unix socket (<c>-s</c>) and waits until it accepts connections.</summary>
    /// <param name="path">The socket's file, which the server makes.</param>
    /// <param name="arguments">Further arguments.</param>
    public static async Task<MemcachedProcess> StartOnSocketAsync(string path, params string[] arguments)
    {
        var server = new MemcachedProcess(IPAddress.Loopback, 0, arguments, new Dictionary<string, string>(StringComparer.Ordinal), path);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts memcached on the port of another, at another loopback address.</summary>
    public static async Task<MemcachedProcess> StartBesideAsync(MemcachedProcess other, IPAddress address)
    {
        var server = new MemcachedProcess(address, other.EndPoint.Port, [], new Dictionary<string, string>(StringComparer.Ordinal));
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts the process again on the same port, with an empty memory.</summary>
    public async Task StartAgainAsync()
    {
        if (_process is { HasExited: false })
        {
            throw new InvalidOperationException("memcached is still running");
        }

        // `timeout` is the watchdog: should the test host be killed, its servers end by themselves.
        var start = new ProcessStartInfo("timeout")
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        string[] place = _socketPath is null ? ["-l", EndPoint.Address.ToString(), "-p", EndPoint.Port.ToString(), "-U", "0"] : ["-s", _socketPath];
        foreach (string argument in (string[])["--foreground", ((int)Lifetime.TotalSeconds).ToString(), MemcachedBinary.Path, "-u", "root", .. place, .. _arguments])
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string value) in _environment)
        {
            start.Environment[name] = value;
        }

        var process = new Process { StartInfo = start };
        process.Start();
        process.ErrorDataReceived += static (_, _) => { };
        process.OutputDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _process = process;
        _frozen = false;

        long started = Stopwatch.GetTimestamp();
        while (!await AcceptsAsync())
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException($"memcached ended with code {process.ExitCode} before it listened on {Server}");
            }

            if (Stopwatch.GetElapsedTime(started) > StartLimit)
            {
                throw new TimeoutException($"memcached did not listen on {Server} within {StartLimit}");
            }

            await Task.Delay(10);
        }
    }

    /// <summary>Ends the process at once, as <c>kill -9</c> does.</summary>
    public async Task KillAsync()
    {
        if (_process is not { } process)
        {
            return;
        }

        // The watchdog is the parent: end the server first, and the watchdog follows it.
        foreach (int child in Children(process.Id))
        {
            Signal(child, SigKill);
        }

        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
        }

        using var limit = new CancellationTokenSource(StartLimit);
        await process.WaitForExitAsync(limit.Token);
        process.Dispose();
        _process = null;
        _frozen = false;
    }

    /// <summary>
    /// Has a server that was started with <c>-e</c> write down what it needs to come back with its items, and end
    /// (<c>SIGUSR1</c>).
    /// </summary>
    public async Task StopKeepingItemsAsync()
    {
        Process process = _process ?? throw new InvalidOperationException("memcached is not running");
        foreach (int child in Children(process.Id))
        {
            Signal(child, SigUsr1);
        }

        using var limit = new CancellationTokenSource(StartLimit);
        await process.WaitForExitAsync(limit.Token);
        process.Dispose();
        _process = null;
    }

    /// <summary>Freezes the process (<c>SIGSTOP</c>): the kernel still accepts connections, and nothing is answered.</summary>
    public void Freeze()
    {
        _frozen = true;
        foreach (int child in Children(ProcessId))
        {
            Signal(child, SigStop);

            // The signal is on its way when kill returns; a thread that has not seen it yet would still answer.
            SpinWait.SpinUntil(() => Directory.EnumerateDirectories($"/proc/{child}/task").All(IsStopped), StartLimit);
        }
    }

    /// <summary>Lets a frozen process go on (<c>SIGCONT</c>).</summary>
    public void Thaw()
    {
        foreach (int child in Children(ProcessId))
        {
            Signal(child, SigCont);
        }

        _frozen = false;
    }

    /// <summary>Sends one text command on a connection of its own and returns all that comes back until <paramref name="end"/>.</summary>
    public async Task<string> CommandAsync(string command, string end = "\r\n")
    {
        using var client = new TcpClient(EndPoint.AddressFamily);
        using var limit = new CancellationTokenSource(StartLimit);
        await client.ConnectAsync(EndPoint, limit.Token);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(System.Text.Encoding.Latin1.GetBytes(command + "\r\n"), limit.Token);
        var text = new System.Text.StringBuilder();
        byte[] buffer = new byte[8192];
        while (!text.ToString().EndsWith(end, StringComparison.Ordinal))
        {
            int count = await stream.ReadAsync(buffer, limit.Token);
            if (count == 0)
            {
                break;
            }

            text.Append(System.Text.Encoding.Latin1.GetString(buffer, 0, count));
        }

        return text.ToString();
    }

    /// <summary>The server's <c>stats</c> (or <c>stats settings</c> and so on) as a dictionary.</summary>
    public async Task<IReadOnlyDictionary<string, string>> StatsAsync(string? group = null)
    {
        string text = await CommandAsync(group is null ? "stats" : "stats " + group, "END\r\n");
        return text.Split("\r\n", StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', 3))
            .Where(parts => parts is ["STAT", _, _])
            .ToDictionary(parts => parts[1], parts => parts[2], StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_frozen)
        {
            Thaw();
        }

        await KillAsync();
    }

    /// <summary>
    /// A free port that this process has given to no other server: of two that start at the same moment on one port the
    /// second would be taken for running, because the first accepts.
    /// </summary>
    private static int OwnPort(IPAddress address)
    {
        int port;
        do
        {
            port = FreePort(address);
        }
        while (!Given.TryAdd(port, true));
        return port;
    }

    /// <summary>A port that was free a moment ago.</summary>
    public static int FreePort(IPAddress address)
    {
        using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(address, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    private async Task<bool> AcceptsAsync()
    {
        EndPoint endPoint = _socketPath is null ? EndPoint : new UnixDomainSocketEndPoint(_socketPath);
        using var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(endPoint);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static IEnumerable<int> Children(int parent)
    {
        string path = $"/proc/{parent}/task/{parent}/children";
        return File.Exists(path)
            ? File.ReadAllText(path).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)
            : [];
    }

    private static bool IsStopped(string task)
    {
        string stat = File.ReadAllText(Path.Combine(task, "stat"));
        return stat[(stat.LastIndexOf(')') + 2)..].StartsWith('T');
    }

    private const int SigKill = 9;
    private const int SigUsr1 = 10;
    private const int SigStop = 19;
    private const int SigCont = 18;

    private static void Signal(int process, int signal)
    {
        if (kill(process, signal) != 0 && signal != SigKill)
        {
            throw new InvalidOperationException($"kill({process}, {signal}) failed with errno {Marshal.GetLastPInvokeError()}");
        }
    }

#pragma warning disable SYSLIB1054, CA5392, IDE1006 // A test-only call whose arguments are two integers needs no generated marshalling.
    [DllImport("libc", SetLastError = true)]
    private static extern int kill(int pid, int sig);
#pragma warning restore SYSLIB1054, CA5392, IDE1006
}
