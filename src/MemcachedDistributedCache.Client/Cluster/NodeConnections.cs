using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// The connections of a node: which of them takes a request, how another is opened, and what the end of one says of the
/// server. While the node is down none is given out; the first slot then opens one for the probe.
/// </summary>
internal sealed class NodeConnections
{
    private readonly ClusterSettings _settings;
    private readonly NodeHealth _health;
    private readonly NodeConsistency _consistency;
    private readonly OutageLog _outages;
    private readonly ConnectionSlots _slots;
    private readonly NodeAddress _address;
    private ServerAddress _server;
    private Connection? _recovering;
    private bool _isClosed;

    public NodeConnections(ClusterSettings settings, ServerAddress server, NodeHealth health, NodeConsistency consistency, OutageLog outages)
    {
        _settings = settings;
        _server = server;
        _health = health;
        _consistency = consistency;
        _outages = outages;
        _slots = new ConnectionSlots(
            settings.ConnectionsPerNode,
            mode => new ConnectionSlot(
                mode,
                slot => NewConnection(slot, Handshake?.AsksForVersionAlone == true),
                settings.Connections.TimeProvider,
                settings.ReconnectDelay));
        _address = new NodeAddress(
            server,
            _slots,
            consistency.Writes,
            settings.Connections,
            settings.ReconnectDelay,
            settings.AddressChanged);
    }

    /// <summary>Where new connections lead. Another value is the same address under another name.</summary>
    public ServerAddress Server
    {
        get => Volatile.Read(ref _server);
        set => Volatile.Write(ref _server, value);
    }

    /// <summary>The latest handshake with the server; null while it has not been asked.</summary>
    public Handshake? Handshake { get; private set; }

    /// <summary>Which keys are read on a connection of their own.</summary>
    public LargeValues LargeValues { get; } = new();

    /// <summary>Replies awaited.</summary>
    public int PendingCount => _slots.PendingCount;

    /// <summary>No deadline is near.</summary>
    public bool AreQuiet => _slots.AreQuiet && Volatile.Read(ref _recovering) is null;

    private NodeCounters Counters => _outages.Counters;

    /// <inheritdoc cref="ConnectionSlots.Acquire"/>
    public Connection? Acquire(uint hash, CallMode mode, bool changes)
        => _health.State == MemcachedNodeState.Down ? null : _slots.Acquire(hash, mode, changes);

    /// <summary>
    /// The connection for the read of a key whose value was large the last time; null for other keys, and while it is
    /// not open.
    /// </summary>
    public Connection? AcquireForLargeValue(uint hash)
        => LargeValues.Contains(hash) && _health.State != MemcachedNodeState.Down ? _slots.AcquireForLargeValue() : null;

    /// <summary>Opens the first connection before anybody asks for it.</summary>
    public void Warm() => _slots.First.Acquire();

    /// <inheritdoc cref="ConnectionSlots.ClearBackoff"/>
    public void ClearBackoff() => _slots.ClearBackoff();

    /// <summary>Looks after the deadlines of all connections.</summary>
    public void Scan(ref int timedOut, ref long answered)
    {
        _slots.Scan(ref timedOut, ref answered);
        Volatile.Read(ref _recovering)?.Scan(ref timedOut, ref answered);
    }

    /// <summary>Opens new connections in place of those that lead to an address which is none of the server's any more.</summary>
    public void Renew(Func<Connection, bool> isOutdated) => _slots.Renew(isOutdated);

    /// <summary>Asks the server for an answer; the connection that gave it, or null.</summary>
    public async ValueTask<Connection?> ProbeAsync(CancellationToken cancellationToken)
    {
        Connection? connection = _slots.First.CurrentInStep() ?? await ReconnectAsync(cancellationToken).ConfigureAwait(false);
        return
            connection is not null
            && connection.TryExecute(
                new KeyRequest(OperationKind.NoOp, default),
                ValueTarget.OwnArray,
                CancellationToken.None,
                out ValueTask<OperationResult> answer)
            && (await answer.ConfigureAwait(false)).Status == ResultStatus.Success
            ? connection
            : null;
    }

    /// <summary>Ends all connections, those in use after what they have been asked.</summary>
    public Task DrainAsync() => Task.WhenAll(Close().Select(static connection => connection?.DrainAsync() ?? Task.CompletedTask));

    /// <summary>Ends all connections now.</summary>
    public void Abort()
    {
        foreach (Connection? connection in Close())
        {
            connection?.Break(ConnectionEndReason.Disposed, "the cache was disposed");
        }
    }

    private Connection?[] Close()
    {
        Volatile.Write(ref _isClosed, true);
        return _slots.Close();
    }

    private Connection NewConnection(ConnectionSlot slot, bool asksForVersionAlone)
    {
        var owner = new ConnectionOwner(this, slot);
        return owner.Connection = new Connection(_settings.Connections, Server, slot.Mode, owner, asksForVersionAlone);
    }

    private void OnOpened(ConnectionSlot slot, Connection connection)
    {
        // The others do not move for the sake of large values. A caller that has a reply finds the limits known.
        if (_address.Arrive(connection, mayLead: !_slots.IsForLargeValues(slot)))
        {
            Handshake = connection.Handshake;
            _health.OnOpened(connection);
        }
    }

    /// <summary>
    /// Notes a failure of the slot, so that nobody who hears of it opens the next connection at once, and whoever is
    /// refused one is told why.
    /// </summary>
    private void OnEnding(ConnectionSlot slot, Connection connection, ConnectionEnd end)
    {
        if (!IsFailure(connection, end))
        {
            return;
        }

        bool isForLargeValues = _slots.IsForLargeValues(slot);
        if (!isForLargeValues)
        {
            Counters.NoteOutage(end.Message);
        }

        if (isForLargeValues || !HasWorked(connection, end))
        {
            slot.BackOff(connection);
        }
    }

    private void OnEnded(ConnectionSlot slot, Connection connection, ConnectionEnd end)
    {
        if (end.Reason is ConnectionEndReason.Idle or ConnectionEndReason.Disposed || Volatile.Read(ref _isClosed))
        {
            return;
        }

        Log.ConnectionEnded(_settings.Logger, Counters.Server, end.Message, end.Cause);
        if (!IsFailure(connection, end))
        {
            return;
        }

        if (!_slots.IsForLargeValues(slot))
        {
            if (HasWorked(connection, end))
            {
                Reopen(slot, end);
                return;
            }

            string? unfit = connection.Handshake.Error ?? (end.Cause is TlsException ? end.Message : null);
            if (_health.State == MemcachedNodeState.Down && unfit is not null)
            {
                _outages.Note(unfit);
            }

            _health.MarkDown(end.Message, unless: () => _slots.CanServeWithout(slot));
        }

        // What the connection for large values does the others do, and theirs are what tells that the node is up.
        if (_health.State != MemcachedNodeState.Down)
        {
            _slots.AskAll();
        }
    }

    /// <summary>
    /// Opens the next connection at once: what is asked meanwhile waits for it instead of failing. Synchronous callers
    /// open their own. Where none can be opened, another has failed before, and was not believed for the sake of the
    /// one that has ended now.
    /// </summary>
    private void Reopen(ConnectionSlot slot, ConnectionEnd end)
    {
        ConnectionSlot next = slot.Mode == CallMode.Async ? slot : _slots.First;
        if (_health.State != MemcachedNodeState.Down && next.Acquire() is null)
        {
            _health.MarkDown(end.Message, unless: () => _slots.CanServeWithout(slot));
        }
    }

    /// <summary>The end says something of the server: it was not wanted, and no other connection has taken the place.</summary>
    private bool IsFailure(Connection connection, ConnectionEnd end)
        => end.Reason is not (ConnectionEndReason.Idle or ConnectionEndReason.Disposed)
            && !Volatile.Read(ref _isClosed)
            && !_slots.HasLeft(connection);

    private bool HasWorked(Connection connection, ConnectionEnd end)
        => connection.IsOpen && connection.Age >= _settings.ReconnectDelay && end.Reason != ConnectionEndReason.Stalled;

    /// <summary>Opens a connection for the probe of a node that is down, and puts it in place.</summary>
    private async Task<Connection?> ReconnectAsync(CancellationToken cancellationToken)
    {
        // Asked in full: another server may have taken the place of the one that was there.
        Connection connection = NewConnection(_slots.First, asksForVersionAlone: false);
        Volatile.Write(ref _recovering, connection);
        connection.Start();
        ConnectionEnd? end;
        using (
            cancellationToken.UnsafeRegister(
                static state => ((Connection)state!).Break(ConnectionEndReason.Disposed, "the cache was disposed"),
                connection))
        {
            end = await connection.Opened.ConfigureAwait(false);
        }

        Volatile.Write(ref _recovering, null);
        if (end is not null)
        {
            return null;
        }

        if (_address.TryInstall(_slots.First, connection))
        {
            return connection;
        }

        connection.Break(ConnectionEndReason.Disposed, "another connection was opened meanwhile");
        return _slots.First.Current is { IsOpen: true } other ? other : null;
    }

    private sealed class ConnectionOwner(NodeConnections node, ConnectionSlot slot) : IConnectionOwner
    {
        /// <summary>Set before the connection is started, and so before it calls.</summary>
        public Connection? Connection { get; set; }

        public NodeCounters Counters => node.Counters;

        public LargeValues LargeValues => node.LargeValues;

        public long LastUncertainVersion => node._consistency.Writes.LastVersion;

        public bool Admits(ulong cas) => node._consistency.Fences.WholeNode.Admits(cas);

        public void RecordUncertain(ReadOnlySpan<byte> key, bool mayOvertakeRemoval, long settledBy)
            => node._consistency.Record(key, mayOvertakeRemoval, settledBy);

        public void Settle(ReadOnlySpan<byte> key, long begunAt, long connection) => node._consistency.Settle(key, begunAt, connection);

        public void OnOpened() => node.OnOpened(slot, Connection!);

        public void OnEnding(ConnectionEnd end) => node.OnEnding(slot, Connection!, end);

        public void OnEnded(ConnectionEnd end) => node.OnEnded(slot, Connection!, end);
    }
}
