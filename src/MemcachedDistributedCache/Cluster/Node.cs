using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Diagnostics;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Logging;
using Polly;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// One server: its connections, and whether it is worth asking. While it is down an operation fails at once, and one task tries
/// to reach it, with growing pauses, until it answers.
/// </summary>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so there is nothing to free; disposing it would race with the recovery.
internal sealed class Node
#pragma warning restore CA1001
{
    private readonly ClusterSettings _settings;
    private readonly ILogger _logger;
    private readonly Lane[] _lanes;
    private readonly Lane _syncLane;
    private readonly SuspectReplay _replay;
    private readonly CancellationTokenSource _disposed = new();
    private readonly Lock _lock = new();
    private int _state = (int)MemcachedNodeState.Unknown;
    private Connection? _recovering;
    private int _quietSweeps;
    private bool _isRecovering;
    private bool _slow;

    public Node(ClusterSettings settings, ServerSpec spec, ILogger logger)
    {
        _settings = settings;
        _logger = logger;
        Address = spec.Address;
        Weight = spec.Weight;
        Counters = new NodeCounters(spec.Address.ToString());
        _lanes = [.. Enumerable.Range(0, settings.ConnectionsPerNode).Select(_ => NewLane(CallMode.Async))];
        _syncLane = NewLane(CallMode.Sync);
        Suspects = new SuspectKeys(settings.MaximumSuspectKeys);
        _replay = new SuspectReplay(this, settings, logger, _disposed.Token);
    }

    /// <summary>Where the server listens, as configured.</summary>
    public ServerAddress Address { get; }

    /// <summary>Its share of the keys.</summary>
    public int Weight { get; }

    /// <summary>What was seen of it.</summary>
    public NodeCounters Counters { get; }

    /// <summary>The keys that are not to be read, because a write to them failed.</summary>
    public SuspectKeys Suspects { get; }

    /// <summary>Which of the server's items may be read.</summary>
    public ItemTrust Trust { get; } = new();

    /// <summary>Whether it is worth asking.</summary>
    public MemcachedNodeState State => (MemcachedNodeState)Volatile.Read(ref _state);

    /// <summary>The version the server reported last.</summary>
    public string? ServerVersion { get; private set; }

    /// <summary>The largest item that the server takes, header included; 0 while it has not been asked.</summary>
    public int ItemSizeMax { get; private set; }

    /// <summary>Replies awaited.</summary>
    public int PendingCount => AllLanes().Sum(static lane => lane.Current?.PendingCount ?? 0);

    /// <summary>Sends a request on the lane of its hash, so that the requests of one key keep their order.</summary>
    public ValueTask<OperationResult> Execute<TRequest>(scoped in TRequest request, uint hash, ValueTarget target, CallMode mode, CancellationToken cancellationToken)
        where TRequest : struct, IRequest, allows ref struct
    {
        // A connection may end between the look and the request; nothing was sent then, and the next one is asked, once.
        for (int attempt = 0; attempt < 2; attempt++)
        {
            if (Acquire(hash, mode) is not { } connection)
            {
                break;
            }

            if (connection.TryExecute(request, target, cancellationToken, out ValueTask<OperationResult> result))
            {
                return result;
            }
        }

        Counters.AddErrors(1);
        return new ValueTask<OperationResult>(OperationResult.Failed(Counters.Unavailable));
    }

    /// <summary>
    /// Sends a request whose condition is a state that <paramref name="origin"/> told. By another connection, or to another node, nothing is sent, and
    /// the condition does not hold: a server that was restarted counts its states anew.
    /// </summary>
    public ValueTask<OperationResult> ExecuteOn<TRequest>(object? origin, scoped in TRequest request, uint hash, CancellationToken cancellationToken)
        where TRequest : struct, IRequest, allows ref struct
        => Acquire(hash, CallMode.Async) is { } connection && connection == origin && connection.TryExecute(request, ValueTarget.OwnArray, cancellationToken, out ValueTask<OperationResult> result)
            ? result
            : new ValueTask<OperationResult>(OperationResult.Of(OperationStatus.Conflict));

    /// <summary>Notes that a write to a key may not have happened, or may yet happen.</summary>
    public void Suspect(ReadOnlySpan<byte> key, bool mayStillHappen)
    {
        Counters.AddSuspect();
        if (Suspects.Add(key, mayStillHappen))
        {
            Log.SuspectsOverflowed(_logger, Counters.Server, _settings.MaximumSuspectKeys);
        }

        if (State == MemcachedNodeState.Up)
        {
            _replay.Wake();
        }
    }

    /// <summary>Opens the first connection before anybody asks for it.</summary>
    public void Warm() => _lanes[0].Acquire();

    /// <summary>Looks after the deadlines of all connections.</summary>
    public void Sweep()
    {
        int timedOut = 0;
        foreach (Lane lane in _lanes)
        {
            timedOut += lane.Current?.Sweep() ?? 0;
        }

        timedOut += _syncLane.Current?.Sweep() ?? 0;
        _ = Volatile.Read(ref _recovering)?.Sweep();
        if (timedOut != 0)
        {
            Counters.AddTimeouts(timedOut);
        }

        NoteSlowness(timedOut);
    }

    /// <summary>Ends all connections, those in use after what they have been asked.</summary>
    public async Task DrainAsync()
    {
        await _disposed.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(AllLanes().Select(static lane => lane.Close()?.DrainAsync() ?? Task.CompletedTask)).ConfigureAwait(false);
    }

    /// <summary>Ends all connections now.</summary>
    public void Abort()
    {
        _disposed.Cancel();
        foreach (Lane lane in AllLanes())
        {
            lane.Close()?.Break(ConnectionEndReason.Disposed, "the cache was disposed");
        }
    }

    private IEnumerable<Lane> AllLanes() => _lanes.Append(_syncLane);

    private Lane NewLane(CallMode mode) => new(mode, NewConnection, _settings.Connections.TimeProvider, _settings.ReconnectDelay);

    private Connection? Acquire(uint hash, CallMode mode)
    {
        if (State == MemcachedNodeState.Down)
        {
            return null;
        }

        if (mode == CallMode.Sync)
        {
            return _syncLane.Acquire();
        }

        Connection? connection = _lanes[_lanes.Length == 1 ? 0 : (int)(hash % (uint)_lanes.Length)].Acquire();
        return connection ?? Array.Find(_lanes, static lane => lane.IsOpen)?.Current;
    }

    private Connection NewConnection(Lane lane)
        => new(_settings.Connections, Address, lane.Mode, Counters, Trust, key => Suspect(key, mayStillHappen: true), OnOpened, (connection, end) => OnEnded(lane, connection, end));

    /// <summary>Runs before the first request is sent, so that whoever has a reply finds the limits known.</summary>
    private void OnOpened(Connection connection)
    {
        ServerVersion = connection.Greeting.ServerVersion;
        ItemSizeMax = connection.Greeting.ItemSizeMax;
        if (connection != Volatile.Read(ref _recovering))
        {
            TryMarkUp(connection);
        }
    }

    private void OnEnded(Lane lane, Connection connection, ConnectionEnd end)
    {
        if (end.Reason is ConnectionEndReason.Idle or ConnectionEndReason.Disposed || _disposed.IsCancellationRequested)
        {
            return;
        }

        Log.ConnectionEnded(_logger, Counters.Server, end.Message, end.Cause);
        if (connection.IsOpen && connection.Age >= _settings.ReconnectDelay && end.Reason != ConnectionEndReason.Stalled)
        {
            // It worked, so the next one is opened at once: what is asked meanwhile waits for it instead of failing.
            if (lane.Mode == CallMode.Async && State != MemcachedNodeState.Down)
            {
                lane.Acquire();
            }

            return;
        }

        lane.HoldBack(connection);
        MarkDown(end);
    }

    /// <summary>
    /// Marks the node up on the word of a connection that is still there. One that ends later finds the node up and marks it down; one
    /// that ended before is not believed. So a node is never up with nobody left to notice that it is not.
    /// </summary>
    private bool TryMarkUp(Connection connection)
    {
        bool isNews;
        lock (_lock)
        {
            if (!connection.IsUsable)
            {
                return false;
            }

            isNews = State != MemcachedNodeState.Up;
            Volatile.Write(ref _state, (int)MemcachedNodeState.Up);
        }

        if (isNews)
        {
            foreach (Lane lane in AllLanes())
            {
                lane.HoldBackNoMore();
            }

            Log.NodeUp(_logger, Counters.Server, ServerVersion!, ItemSizeMax);
        }

        _replay.Wake(connected: true);
        return true;
    }

    /// <summary>Marks the node down, unless one of its connections is open.</summary>
    private void MarkDown(ConnectionEnd end)
    {
        bool recover;
        lock (_lock)
        {
            if (State == MemcachedNodeState.Down || AllLanes().Any(static lane => lane.IsOpen))
            {
                return;
            }

            Volatile.Write(ref _state, (int)MemcachedNodeState.Down);
            recover = !_isRecovering;
            _isRecovering = true;
        }

        Log.NodeDown(_logger, Counters.Server, end.Message);
        if (recover)
        {
            using (FlowGuard.Suppress())
            {
                _ = RecoverAsync();
            }
        }
    }

    /// <summary>Tries until the node is up; there is at most one of it.</summary>
    private async Task RecoverAsync()
    {
        try
        {
            do
            {
                await Task.Delay(_settings.ReconnectDelay, _settings.Connections.TimeProvider, _disposed.Token).ConfigureAwait(false);
                await _settings.Reconnect.ExecuteAsync(ReconnectAsync, _disposed.Token).ConfigureAwait(false);
            }
            while (!EndRecovery());
        }
        catch (OperationCanceledException) when (_disposed.IsCancellationRequested)
        {
            // The cache is gone, and with it the wish to reach the server.
        }
    }

    /// <summary>Ends the recovery, unless the node has gone down again meanwhile.</summary>
    private bool EndRecovery()
    {
        lock (_lock)
        {
            _isRecovering = State == MemcachedNodeState.Down;
            return !_isRecovering;
        }
    }

    private async ValueTask ReconnectAsync(CancellationToken cancellationToken)
    {
        if (State != MemcachedNodeState.Down)
        {
            return;
        }

        Connection connection = NewConnection(_lanes[0]);
        Volatile.Write(ref _recovering, connection);
        connection.Start();
        ConnectionEnd? end;
        using (cancellationToken.UnsafeRegister(static state => ((Connection)state!).Break(ConnectionEndReason.Disposed, "the cache was disposed"), connection))
        {
            end = await connection.Opened.ConfigureAwait(false);
        }

        Volatile.Write(ref _recovering, null);
        bool installed = end is null && _lanes[0].TryInstall(connection);
        if (end is null && !installed)
        {
            connection.Break(ConnectionEndReason.Disposed, "another connection was opened meanwhile");
            connection = _lanes[0].Current ?? connection;
        }

        if (end is not null || !connection.IsOpen || !TryMarkUp(connection))
        {
            throw new ConnectFailedException(end ?? new ConnectionEnd(ConnectionEndReason.ClosedByServer, "the connection ended as soon as it was open"));
        }
    }

    private void NoteSlowness(int timedOut)
    {
        _quietSweeps = timedOut != 0 ? 0 : Math.Min(_quietSweeps + 1, int.MaxValue - 1);
        if (timedOut != 0 && !_slow)
        {
            _slow = true;
            Log.NodeSlow(_logger, Counters.Server, _settings.Connections.Clock.OperationTimeout.TotalMilliseconds);
        }
        else if (_slow && _quietSweeps >= 5 * OperationClock.TicksPerTimeout)
        {
            _slow = false;
            Log.NodeInTime(_logger, Counters.Server);
        }
    }
}
