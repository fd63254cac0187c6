using System.Net.Sockets;
using System.Net;
using MemcachedDistributedCache.Embedded.Net;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded;

/// <summary>
/// One server of an <see cref="EmbeddedMemcached"/>. It can be stopped and started again on its port; its members are
/// thread-safe.
/// </summary>
public sealed class EmbeddedMemcachedNode : IDisposable, IAsyncDisposable
{
    private readonly EmbeddedMemcachedOptions _options;
    private readonly PortListener _listener;
    private readonly ServerState _server;
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Task> _clients = [];
    private ItemStore _store;

    internal EmbeddedMemcachedNode(EmbeddedMemcachedOptions options, IPEndPoint endPoint)
    {
        _options = options;
        _store = NewStore();
        _listener = new PortListener(endPoint, Accept);
        _server = new ServerState(_listener.EndPoint, options.MaximumConnections, options.MemoryLimitBytes / 2, options.Release, new UserTable(options.Users));
        _listener.Resume();
    }

    /// <summary>Where the node listens; the same after a restart.</summary>
    public IPEndPoint EndPoint => _listener.EndPoint;

    /// <summary>The end point as <c>address:port</c>, an IPv6 address in brackets.</summary>
    public string Server => EndPoint.ToString();

    /// <summary>The node accepts connections.</summary>
    public bool IsRunning => _listener.IsListening;

    /// <summary>How many clients are connected now.</summary>
    public int ConnectionCount => _server.CurrentConnections;

    /// <summary>How many items the node holds, those included that have expired but were not asked for since.</summary>
    public int ItemCount
    {
        get
        {
            lock (_store.Gate)
            {
                return _store.Count;
            }
        }
    }

    /// <summary>
    /// Stops listening and closes all connections, as a crash would look to clients. The port stays reserved and
    /// refuses connects. Harmless on a stopped node.
    /// </summary>
    public async Task StopAsync()
    {
        await _listener.PauseAsync().ConfigureAwait(false);
        await CloseConnectionsAsync().ConfigureAwait(false);
    }

    /// <summary>Listens again on the same port. Harmless on a running node.</summary>
    /// <param name="keepMemory">True keeps the items, as after a network failure; false (the default) comes back empty,
    /// as after a crash.</param>
    /// <exception cref="ObjectDisposedException">The server was disposed.</exception>
    public Task StartAgainAsync(bool keepMemory = false)
    {
        if (!_listener.IsListening && !keepMemory)
        {
            _store = NewStore();
        }

        _listener.Resume();
        return Task.CompletedTask;
    }

    /// <summary>Closes every connection and goes on listening.</summary>
    public void DropConnections()
    {
        foreach (ClientConnection connection in _server.Connections())
        {
            connection.Close();
        }
    }

    /// <summary>Closes the port and all connections, without waiting for their last steps.</summary>
    public void Dispose()
    {
        _listener.Dispose();
        DropConnections();
    }

    /// <summary>Closes the port and all connections, and waits until nothing of them runs any more.</summary>
    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await CloseConnectionsAsync().ConfigureAwait(false);
    }

    private ItemStore NewStore()
        => new(_options.TimeProvider, _options.MemoryLimitBytes, _options.MaximumItemBytes, !_options.DisableEvictions);

    private async Task CloseConnectionsAsync()
    {
        DropConnections();
        Task[] clients;
        lock (_lock)
        {
            clients = [.. _clients.Values];
        }

        await Task.WhenAll(clients).ConfigureAwait(false);
    }

    private void Accept(Socket socket)
    {
        var connection = new ClientConnection(socket, _server, _store, _options.Tls);
        if (!_server.TryAdd(connection, out long id))
        {
            Refuse(socket);
            return;
        }

        lock (_lock)
        {
            _clients.Add(id, Task.Run(() => ServeAsync(connection, id)));
        }

        if (!_listener.IsListening)
        {
            // Accepted while the node was stopping, perhaps after the others were closed.
            connection.Close();
        }
    }

    private async Task ServeAsync(ClientConnection connection, long id)
    {
        try
        {
            await connection.RunAsync().ConfigureAwait(false);
        }
        finally
        {
            _server.Remove(id);
            lock (_lock)
            {
                _clients.Remove(id);
            }
        }
    }

    private static void Refuse(Socket socket)
    {
        try
        {
            socket.Send("ERROR Too many open connections\r\n"u8);
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // It is being turned away; that it left by itself is as good.
        }

        socket.Dispose();
    }
}
