using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>One server: its connections, what is known of its items, and whether it is worth asking. While it is down an operation fails at once.</summary>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so there is nothing to free; disposing it would race with the recovery.
internal sealed class Node : IClusterNode, INodeHealthEvents
#pragma warning restore CA1001
{
    private const int ProbeTimeToLive = 60;

    /// <summary>
    /// No server counts further: at a million stores a second that takes 292 000 years. A greater number was set by a client (E), or is a lie; as a fence it would let
    /// nothing pass for ever.
    /// </summary>
    private const ulong LargestCount = long.MaxValue;

    private readonly ClusterSettings _settings;
    private readonly Gutter _gutter;
    private readonly ILogger _logger;
    private readonly ConnectionSlots _slots;
    private readonly NodeAddress _address;
    private readonly InvalidationReplay _replay;
    private readonly NodeHealth _health;
    private readonly CasStabilityMonitor _stability;
    private readonly SlownessLog _slowness;
    private readonly OutageLog _outages;
    private readonly CancellationTokenSource _disposed = new();
    private Connection? _recovering;
    private long _failuresSeen;

    public Node(ClusterSettings settings, ServerAddress address, Gutter gutter, ILogger logger)
    {
        _settings = settings;
        _gutter = gutter;
        _logger = logger;
        Address = address;
        GutterFences = new GutterFences(this);
        _health = new NodeHealth(settings.NewCircuit(), this, settings.Connections.TimeProvider, _disposed.Token);
        Counters = new NodeCounters(address.ToString(), settings.Connections.Telemetry.OfNode(address.Host, address.Port, OperationNames.All), () => _health.RetryAfter);
        _slots = new ConnectionSlots(settings.ConnectionsPerNode, NewSlot);
        UncertainWrites = new UncertainWrites(settings.MaximumUncertainKeys, Fence);
        _address = new NodeAddress(address, _slots, UncertainWrites, settings.Connections, settings.ReconnectDelay, settings.AddressChanged);
        Fences = new FenceKeeper(this, settings, _disposed.Token);
        _slowness = new SlownessLog(Counters.Server, settings.Connections.Clock.AttemptTimeout, settings.Connections.TimeProvider, logger);
        _outages = new OutageLog(Counters, () => gutter.HasOthers, logger);
        _replay = new InvalidationReplay(this, settings, logger, _disposed.Token);
        _stability = new CasStabilityMonitor(this, settings, logger, _disposed.Token);
    }

    /// <summary>Where the server listens; also what it is on the ring.</summary>
    public ServerAddress Address { get; }

    /// <summary>What was seen of it.</summary>
    public NodeCounters Counters { get; }

    /// <summary>The keys that are not to be read, because a write to them failed.</summary>
    public UncertainWrites UncertainWrites { get; }

    /// <summary>Which of the server's items may be read at all.</summary>
    public NodeFence Fence { get; } = new();

    /// <summary>Which keys are read on a connection of their own.</summary>
    public LargeValues LargeValues { get; } = new();

    /// <summary>Looks after the fences that hold for some of the keys.</summary>
    public FenceKeeper Fences { get; }

    /// <summary>Which items of others may be read in its place while it is down.</summary>
    public GutterFences GutterFences { get; }

    /// <summary>Whether it is worth asking.</summary>
    public MemcachedNodeState State => _health.State;

    /// <summary>The version the server reported last.</summary>
    public string? ServerVersion { get; private set; }

    /// <summary>The largest item that the server takes, header included; 0 while it has not been asked.</summary>
    public int ItemSizeMax { get; private set; }

    /// <summary>Whether the server is known to leave an item its number (CAS) until it is stored anew.</summary>
    public bool KeepsNumbers { get; private set; }

    /// <summary>Whether it depends on an item's number whether it is read.</summary>
    public bool HasFences => Fence.Value != 0 || UncertainWrites.AreAllUncertain || Fences.AreAnyInForce();

    /// <summary>Replies awaited.</summary>
    public int PendingCount => _slots.PendingCount;

    /// <summary>Sends a request on the slot of its hash, so that the requests of one key keep their order.</summary>
    public ValueTask<OperationResult> Execute<TRequest>(scoped in TRequest request, uint hash, ValueTarget target, CallMode mode, CancellationToken cancellationToken)
        where TRequest : struct, IRequest, allows ref struct
    {
        // A connection may end between the look and the request; nothing was sent then, and the next one is asked, once.
        for (int attempt = 0; attempt < 2; attempt++)
        {
            if (Acquire(hash, mode, changes: request.Kind != OperationKind.Lease && !request.ChangedKey.IsEmpty) is not { } connection)
            {
                break;
            }

            if (connection.TryExecute(request, target, cancellationToken, out ValueTask<OperationResult> result))
            {
                return result;
            }
        }

        Counters.AddErrors(1);
        Counters.Telemetry.Refused((int)request.Kind, RequestOutcome.Unavailable);
        return new ValueTask<OperationResult>(OperationResult.Failed(Counters.Unavailable));
    }

    /// <summary>
    /// Sends a read that need not come after what its key was asked before. Where the value was large the last time another connection takes it, if that is
    /// open, so that those of small values do not wait for it.
    /// </summary>
    public ValueTask<OperationResult> Read(scoped in KeyRequest request, uint hash, ValueTarget target, CancellationToken cancellationToken)
        => LargeValues.Contains(hash) && State != MemcachedNodeState.Down && _slots.AcquireForLargeValue() is { } connection && connection.TryExecute(request, target, cancellationToken, out ValueTask<OperationResult> result)
            ? result
            : Execute(request, hash, target, CallMode.Async, cancellationToken);

    /// <summary>
    /// Sends a request whose condition is a state that <paramref name="origin"/> told. By another connection, or to another node, nothing is sent, and
    /// the condition does not hold: a server that was restarted counts its states anew.
    /// </summary>
    public ValueTask<OperationResult> ExecuteOn<TRequest>(object? origin, scoped in TRequest request, uint hash, CancellationToken cancellationToken)
        where TRequest : struct, IRequest, allows ref struct
        => Acquire(hash, CallMode.Async, changes: false) is { } connection && connection == origin && connection.TryExecute(request, ValueTarget.OwnArray, cancellationToken, out ValueTask<OperationResult> result)
            ? result
            : new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));

    /// <summary>Whether a key is not to be read now.</summary>
    public bool IsUncertain(ReadOnlySpan<byte> key) => !UncertainWrites.IsEmpty && UncertainWrites.Contains(key);

    /// <summary>Notes that a write to a key may not have happened, or may yet happen. One that another node has made in this one's place is no failure.</summary>
    public void RecordUncertain(ReadOnlySpan<byte> key, bool mayOvertakeRemoval, bool isFailure = true)
    {
        if (isFailure)
        {
            Counters.AddUncertain();
        }

        if (UncertainWrites.Add(key, mayOvertakeRemoval))
        {
            Log.UncertainWritesOverflowed(_logger, Counters.Server, _settings.MaximumUncertainKeys);
        }

        WakeReplay();
    }

    /// <summary>Lets nothing be read that the server has stored up to now.</summary>
    public void MarkAllUncertain()
    {
        UncertainWrites.MarkAllUncertain();
        WakeReplay();
    }

    /// <summary>What the fences let through may be old: they are found anew.</summary>
    public void RenewFences()
    {
        if (Fence.Value != 0 || UncertainWrites.AreAllUncertain)
        {
            // Without a pause: no write is on its way because of it.
            UncertainWrites.MarkAllUncertain(needsGrace: false);
            WakeReplay();
        }

        Fences.RaiseAll();
    }

    /// <summary>The number of the newest item's state, 0 from a server that does not count; null if there is no answer, or none that can be relied on.</summary>
    public async Task<ulong?> ProbeCasAsync()
    {
        await _stability.BeginAsync().ConfigureAwait(false);
        if (_stability.IsBlind)
        {
            return null;
        }

        OperationResult result = await Execute(
            new KeyRequest(OperationKind.Probe, WireKey.Of(_settings.ProbeKey), ProbeTimeToLive),
            0,
            ValueTarget.OwnArray,
            CallMode.Async,
            CancellationToken.None).ConfigureAwait(false);
        return result.Status == ResultStatus.Success && !_stability.IsBlind && result.Cas <= LargestCount ? result.Cas : null;
    }

    /// <summary>Opens the first connection before anybody asks for it.</summary>
    public void Warm() => _slots.First.Acquire();

    /// <summary>Looks after the deadlines of all connections.</summary>
    public void Scan()
    {
        int timedOut = 0;
        long answered = 0;
        _slots.Scan(ref timedOut, ref answered);
        Volatile.Read(ref _recovering)?.Scan(ref timedOut, ref answered);
        if (timedOut != 0)
        {
            Counters.AddTimeouts(timedOut);
        }

        // Those that blocked callers gave up by themselves, or a broken connection lost, count with the rest.
        long failures = Counters.Failures;
        _health.Report(answered, failures - _failuresSeen);
        _failuresSeen = failures;
        _slowness.Note(timedOut);
    }

    /// <summary>Whether no deadline is near.</summary>
    public bool IsQuiet => _slots.AreQuiet && Volatile.Read(ref _recovering) is null;

    /// <summary>Opens new connections in place of those that lead to an address which is none of the server's any more.</summary>
    public void Renew(Func<Connection, bool> isOutdated) => _slots.Renew(isOutdated);

    /// <summary>Ends all connections, those in use after what they have been asked.</summary>
    public async Task DrainAsync()
    {
        _health.Retire();
        await _disposed.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_slots.Close().Select(static connection => connection?.DrainAsync() ?? Task.CompletedTask)).ConfigureAwait(false);
    }

    /// <summary>Ends all connections now.</summary>
    public void Abort()
    {
        _health.Retire();
        _disposed.Cancel();
        foreach (Connection? connection in _slots.Close())
        {
            connection?.Break(ConnectionEndReason.Disposed, "the cache was disposed");
        }
    }

    /// <inheritdoc/>
    void INodeHealthEvents.OnGoingDown()
    {
        Fences.OnGoingDown();
        _gutter.OnGoingDown(this);
    }

    /// <inheritdoc/>
    void INodeHealthEvents.OnComingUp() => _gutter.OnComingUp(this);

    /// <inheritdoc/>
    void INodeHealthEvents.OnDown(string reason)
    {
        Counters.NodeStateChanged(MemcachedNodeState.Down);
        _outages.Begin(reason);
        _gutter.OnDown(this);
    }

    /// <inheritdoc/>
    void INodeHealthEvents.OnConnected(bool isNews)
    {
        if (isNews)
        {
            _slots.ClearBackoff();
            _outages.End();
            Counters.NodeStateChanged(MemcachedNodeState.Up);
            Log.NodeUp(_logger, Counters.Server, ServerVersion!, ItemSizeMax == 0 ? "and it does not tell how large items may be" : $"items up to {ItemSizeMax} bytes");
        }

        Fences.OnConnected(isNews);
        _gutter.OnConnected(this);
        _replay.Wake(connected: true);
    }

    /// <inheritdoc/>
    async ValueTask<Connection?> INodeHealthEvents.ProbeAsync(CancellationToken cancellationToken)
    {
        Connection? connection = _slots.First.CurrentInStep() ?? await ReconnectAsync(cancellationToken).ConfigureAwait(false);
        return connection is not null
            && connection.TryExecute(new KeyRequest(OperationKind.NoOp, default), ValueTarget.OwnArray, CancellationToken.None, out ValueTask<OperationResult> answer)
            && (await answer.ConfigureAwait(false)).Status == ResultStatus.Success
            ? connection
            : null;
    }

    private ConnectionSlot NewSlot(CallMode mode) => new(mode, NewConnection, _settings.Connections.TimeProvider, _settings.ReconnectDelay);

    private Connection? Acquire(uint hash, CallMode mode, bool changes) => State == MemcachedNodeState.Down ? null : _slots.Acquire(hash, mode, changes);

    private Connection NewConnection(ConnectionSlot slot)
        => new(_settings.Connections, Address, slot.Mode, Counters, Fence, LargeValues, key => RecordUncertain(key, mayOvertakeRemoval: true), connection => OnOpened(slot, connection), (connection, end) => OnEnded(slot, connection, end));

    /// <inheritdoc cref="InvalidationReplay.HasUndelivered"/>
    public bool HasUndelivered => _replay.HasUndelivered;

    private void WakeReplay()
    {
        if (State == MemcachedNodeState.Up)
        {
            _replay.Wake();
        }
    }

    /// <summary>Runs before the first request is sent, so that whoever has a reply finds the limits known.</summary>
    private void OnOpened(ConnectionSlot slot, Connection connection)
    {
        // The others do not move for the sake of large values.
        if (!_address.Arrive(connection, mayLead: !_slots.IsForLargeValues(slot)))
        {
            return;
        }

        ServerVersion = connection.Handshake.ServerVersion;
        ItemSizeMax = connection.Handshake.ItemSizeMax;
        KeepsNumbers = connection.Handshake.KeepsNumbers;
        _health.OnOpened(connection);
    }

    private void OnEnded(ConnectionSlot slot, Connection connection, ConnectionEnd end)
    {
        if (end.Reason is ConnectionEndReason.Idle or ConnectionEndReason.Disposed || _disposed.IsCancellationRequested)
        {
            return;
        }

        Log.ConnectionEnded(_logger, Counters.Server, end.Message, end.Cause);
        if (_slots.HasLeft(connection))
        {
            // Another has its place already, and its end says nothing of the server.
            return;
        }

        if (_slots.IsForLargeValues(slot))
        {
            // What it did the others do, and theirs are what tells whether the node is up.
            slot.BackOff(connection);
            if (State != MemcachedNodeState.Down)
            {
                _slots.AskAll();
            }

            return;
        }

        // Before the node can be down because of it: whoever is refused then is told why.
        Counters.NoteOutage(end.Message);
        if (connection.IsOpen && connection.Age >= _settings.ReconnectDelay && end.Reason != ConnectionEndReason.Stalled)
        {
            // It worked, so the next one is opened at once: what is asked meanwhile waits for it instead of failing. Synchronous callers open their own. Where
            // that cannot be, another has failed before, and was not believed for this one's sake.
            ConnectionSlot next = slot.Mode == CallMode.Async ? slot : _slots.First;
            if (State != MemcachedNodeState.Down && next.Acquire() is null)
            {
                _health.MarkDown(end.Message, () => _slots.CanServeWithout(slot));
            }

            return;
        }

        if (State == MemcachedNodeState.Down && connection.Handshake.Error is { } unfit)
        {
            _outages.Note(unfit);
        }

        slot.BackOff(connection);
        _health.MarkDown(end.Message, () => _slots.CanServeWithout(slot));
        if (State != MemcachedNodeState.Down)
        {
            _slots.AskAll();
        }
    }

    /// <summary>Opens a connection for the probe of a node that is down, and puts it in place.</summary>
    private async Task<Connection?> ReconnectAsync(CancellationToken cancellationToken)
    {
        Connection connection = NewConnection(_slots.First);
        Volatile.Write(ref _recovering, connection);
        connection.Start();
        ConnectionEnd? end;
        using (cancellationToken.UnsafeRegister(static state => ((Connection)state!).Break(ConnectionEndReason.Disposed, "the cache was disposed"), connection))
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
}
