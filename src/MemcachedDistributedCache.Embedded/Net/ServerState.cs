using System.Net;
using MemcachedDistributedCache.Embedded.Commands;

namespace MemcachedDistributedCache.Embedded.Net;

/// <summary>The connections of a node and their counts, for itself and for <c>stats</c>.</summary>
internal sealed class ServerState(IPEndPoint endPoint, int maximumConnections, long lineMemory, EmbeddedMemcachedRelease release, UserTable users)
{
    /// <summary>The release that the node imitates.</summary>
    public EmbeddedMemcachedRelease Release { get; } = release;

    /// <summary>The users that clients authenticate as.</summary>
    public UserTable Users { get; } = users;

    /// <summary>Three numbers first, so that clients which compare versions take it for the memcached it imitates.</summary>
    public string Version { get; } = release switch
    {
        EmbeddedMemcachedRelease.Release1522 => "1.5.22-embedded",
        EmbeddedMemcachedRelease.Release169 => "1.6.9-embedded",
        _ => "1.6.18-embedded",
    };

    private readonly Lock _lock = new();
    private readonly Dictionary<long, ClientConnection> _connections = [];
    private long _lastId;
    private long _rejected;
    private long _read;
    private long _written;
    private long _lineBytes;

    public IPEndPoint EndPoint { get; } = endPoint;

    public int MaximumConnections { get; } = maximumConnections;

    public int Verbosity { get; set; }

    public int CurrentConnections
    {
        get
        {
            lock (_lock)
            {
                return _connections.Count;
            }
        }
    }

    public long TotalConnections => Interlocked.Read(ref _lastId);

    public long RejectedConnections => Interlocked.Read(ref _rejected);

    public long BytesRead => Interlocked.Read(ref _read);

    public long BytesWritten => Interlocked.Read(ref _written);

    public void CountRead(int bytes) => Interlocked.Add(ref _read, bytes);

    public void CountWritten(int bytes) => Interlocked.Add(ref _written, bytes);

    /// <summary>Takes memory for a long line, of what all connections have for these together; false where that is used up.</summary>
    public bool TryTakeLineMemory(int bytes)
    {
        if (Interlocked.Add(ref _lineBytes, bytes) <= lineMemory)
        {
            return true;
        }

        GiveLineMemoryBack(bytes);
        return false;
    }

    public void GiveLineMemoryBack(int bytes) => Interlocked.Add(ref _lineBytes, -bytes);

    /// <summary>Takes a connection in and gives it a number; false where the limit is reached.</summary>
    public bool TryAdd(ClientConnection connection, out long id)
    {
        lock (_lock)
        {
            if (_connections.Count >= MaximumConnections)
            {
                _rejected++;
                id = 0;
                return false;
            }

            id = ++_lastId;
            _connections.Add(id, connection);
            return true;
        }
    }

    public void Remove(long id)
    {
        lock (_lock)
        {
            _connections.Remove(id);
        }
    }

    public ClientConnection[] Connections()
    {
        lock (_lock)
        {
            return [.. _connections.Values];
        }
    }

    public void WriteConnections(CommandContext context)
    {
        KeyValuePair<long, ClientConnection>[] connections;
        lock (_lock)
        {
            connections = [.. _connections];
        }

        foreach ((long id, ClientConnection connection) in connections)
        {
            StatsCommand.Stat(context, $"{id}:addr", $"tcp:{connection.Remote}");
            StatsCommand.Stat(context, $"{id}:listen_addr", $"tcp:{EndPoint}");
            StatsCommand.Stat(context, $"{id}:state", "conn_read");
            StatsCommand.Stat(context, $"{id}:secs_since_last_cmd", context.Now - connection.LastCommandAt);
        }
    }
}
