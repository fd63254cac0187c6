using System.Net.Sockets;
using System.Net;
using MemcachedDistributedCache.Embedded.Net;
using MemcachedDistributedCache.Embedded.Proxy;

namespace MemcachedDistributedCache.Embedded;

/// <summary>
/// A TCP proxy on a loopback port before one server, real or embedded, that does to its traffic what a bad network does: see
/// <see cref="Fault"/>. A fault applied reaches existing connections as well. Nothing it does is random. Its members are thread-safe.
/// </summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly PortListener _listener;
    private readonly FaultSwitch _faults;
    private readonly TimeProvider _time;
    private readonly FaultProxyTls? _tls;
    private readonly SemaphoreSlim _applying = new(1, 1);
    private readonly Lock _lock = new();
    private readonly Dictionary<ProxiedConnection, Task> _connections = [];
    private bool _disposed;
    private long _accepted;
    private long _toServer;
    private long _toClient;

    private FaultProxy(IPEndPoint target, Fault fault, TimeProvider time, FaultProxyTls? tls)
    {
        Target = target;
        _faults = new FaultSwitch(fault);
        _time = time;
        _tls = tls;
        _listener = new PortListener(new IPEndPoint(IPAddress.Loopback, 0), Accept);
    }

    /// <summary>Where the proxy listens: a free port of 127.0.0.1.</summary>
    public IPEndPoint EndPoint => _listener.EndPoint;

    /// <summary>The end point as <c>address:port</c>.</summary>
    public string Server => EndPoint.ToString();

    /// <summary>The server behind the proxy.</summary>
    public IPEndPoint Target { get; }

    /// <summary>The fault in force.</summary>
    public Fault Fault => _faults.Current.Fault;

    /// <summary>How many connections were accepted so far.</summary>
    public long ConnectionsAccepted => Interlocked.Read(ref _accepted);

    /// <summary>How many bytes were forwarded to the server so far, inserted ones included.</summary>
    public long BytesToServer => Interlocked.Read(ref _toServer);

    /// <summary>How many bytes were forwarded to clients so far, inserted ones included.</summary>
    public long BytesToClient => Interlocked.Read(ref _toClient);

    /// <summary>Starts a proxy; it accepts connections when this returns, unless the fault refuses them.</summary>
    /// <param name="target">The server; it need not run yet. A client whose connect to it fails is reset.</param>
    /// <param name="fault">The first fault; null is <see cref="Fault.None"/>.</param>
    /// <param name="timeProvider">The clock of delays and drips; null is the system's.</param>
    /// <param name="tls">TLS towards clients and server; null, the default, leaves what they speak as it is.</param>
    /// <param name="ct">Given up before the start.</param>
    /// <exception cref="ArgumentNullException"><paramref name="target"/> is null.</exception>
    /// <exception cref="ArgumentException">The fault has a value out of range.</exception>
    public static async Task<FaultProxy> StartAsync(
        IPEndPoint target,
        Fault? fault = null,
        TimeProvider? timeProvider = null,
        FaultProxyTls? tls = null,
        CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        ct.ThrowIfCancellationRequested();
        fault ??= Fault.None;
        Fault.Validate(fault);
        var proxy = new FaultProxy(target, fault, timeProvider ?? TimeProvider.System, tls);
        await proxy.ApplyAsync(fault).ConfigureAwait(false);
        return proxy;
    }

    /// <summary>
    /// Puts another fault in force, for new and existing connections; what was held back is released where the new
    /// fault lets it.
    /// </summary>
    /// <param name="fault">The fault; <see cref="Fault.None"/> heals everything.</param>
    /// <exception cref="ArgumentNullException"><paramref name="fault"/> is null.</exception>
    /// <exception cref="ArgumentException">The fault has a value out of range.</exception>
    public async Task ApplyAsync(Fault fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        Fault.Validate(fault);
        await _applying.WaitAsync().ConfigureAwait(false);
        try
        {
            _faults.Set(fault);
            if (fault.RefuseConnections)
            {
                await _listener.PauseAsync().ConfigureAwait(false);
            }
            else
            {
                _listener.Resume();
            }
        }
        finally
        {
            _applying.Release();
        }
    }

    /// <summary>Ends all connections that exist now.</summary>
    /// <param name="reset">True resets them (RST), which may lose what is under way; false (the default) ends them in order (FIN).</param>
    public void DropConnections(bool reset = false)
    {
        foreach (ProxiedConnection connection in Snapshot().Keys)
        {
            connection.End(reset);
        }
    }

    /// <summary>Closes the port and all connections, and waits until nothing of them runs any more.</summary>
    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        lock (_lock)
        {
            _disposed = true;
        }

        Dictionary<ProxiedConnection, Task> connections = Snapshot();
        foreach (ProxiedConnection connection in connections.Keys)
        {
            connection.End(reset: true);
        }

        await Task.WhenAll(connections.Values).ConfigureAwait(false);
        _faults.Dispose();
        _applying.Dispose();
    }

    private Dictionary<ProxiedConnection, Task> Snapshot()
    {
        lock (_lock)
        {
            return new Dictionary<ProxiedConnection, Task>(_connections);
        }
    }

    private void Accept(Socket client)
    {
        Interlocked.Increment(ref _accepted);
        var server = new Socket(Target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        var connection = new ProxiedConnection(client, server, _tls);
        lock (_lock)
        {
            if (_disposed)
            {
                connection.Dispose();
                return;
            }

            _connections.Add(connection, Task.Run(() => RunAsync(connection)));
        }
    }

    private async Task RunAsync(ProxiedConnection connection)
    {
        await connection.RunAsync(
            Target,
            _faults,
            _time,
            count => Interlocked.Add(ref _toServer, count),
            count => Interlocked.Add(ref _toClient, count)).ConfigureAwait(false);
        lock (_lock)
        {
            _connections.Remove(connection);
        }

        connection.Dispose();
    }
}
