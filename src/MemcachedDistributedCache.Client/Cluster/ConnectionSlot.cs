using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// The place of one connection: it opens one when one is needed and none is there, and holds back for a moment after a failure.
/// </summary>
internal sealed class ConnectionSlot(CallMode mode, Func<ConnectionSlot, Connection> create, TimeProvider timeProvider, TimeSpan pause)
{
    private readonly Lock _lock = new();
    private Connection? _current;
    private long _failedAt;
    private bool _failed;
    private bool _closed;

    /// <summary>How its callers wait.</summary>
    public CallMode Mode => mode;

    /// <summary>The connection, whatever its state.</summary>
    public Connection? Current => Volatile.Read(ref _current);

    /// <summary>There is an open connection.</summary>
    public bool IsOpen => Current is { IsUsable: true, IsOpen: true };

    /// <summary>
    /// The open connection, if it is any use for a probe. One that is behind with its replies is none: the probe would
    /// wait behind them, time and again, while the server may answer others at once. It is given up.
    /// </summary>
    public Connection? CurrentInStep()
    {
        if (Current is not { IsUsable: true, IsOpen: true } connection)
        {
            return null;
        }

        if (connection.IsBehind)
        {
            connection.Break(ConnectionEndReason.Stalled, "a reply is overdue, and the server is tried anew");
            return null;
        }

        return connection;
    }

    /// <summary>The connection, a new one if need be; null while it holds back.</summary>
    public Connection? Acquire()
        => Current is { IsUsable: true } connection ? connection : Connect();

    /// <summary>Puts a connection that was opened elsewhere in place, unless there is a usable one.</summary>
    public bool TryInstall(Connection connection)
    {
        lock (_lock)
        {
            if (_closed || _current is { IsUsable: true })
            {
                return false;
            }

            _failed = false;
            Volatile.Write(ref _current, connection);
            return true;
        }
    }

    /// <summary>Opens another connection in the place of one that is still good; false if that has gone by itself.</summary>
    public bool Replace(Connection outdated)
    {
        Connection created;
        lock (_lock)
        {
            if (_closed || _current != outdated)
            {
                return false;
            }

            created = create(this);
            Volatile.Write(ref _current, created);
        }

        created.Start();
        return true;
    }

    /// <summary>Notes that a connection could not be opened or did not live, so that the next try waits.</summary>
    public void BackOff(Connection failed)
    {
        lock (_lock)
        {
            if (_current is not null && _current != failed && _current.IsUsable)
            {
                return;
            }

            _failed = true;
            _failedAt = timeProvider.GetTimestamp();
        }
    }

    /// <summary>Forgets the failure: the server answers again.</summary>
    public void ClearBackoff()
    {
        lock (_lock)
        {
            _failed = false;
        }
    }

    /// <summary>Opens no more connections.</summary>
    public Connection? Close()
    {
        lock (_lock)
        {
            _closed = true;
            return _current;
        }
    }

    private Connection? Connect()
    {
        Connection created;
        lock (_lock)
        {
            if (_current is { IsUsable: true } usable)
            {
                return usable;
            }

            if (_closed || (_failed && timeProvider.GetElapsedTime(_failedAt) < pause))
            {
                return null;
            }

            _failed = false;
            created = create(this);
            Volatile.Write(ref _current, created);
        }

        // Outside the lock: a connect that fails at once reports its end on this thread.
        created.Start();
        return created;
    }
}
