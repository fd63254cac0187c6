using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// One server, of four parts: its connections, its health, what is known of its items, and what was seen of it. While
/// it is down an operation fails at once.
/// </summary>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so there is nothing to free; disposing it would race with the recovery.
internal sealed class Node : IClusterNode, INodeChannel, INodeHealthEvents
#pragma warning restore CA1001
{
    private const int ProbeTimeToLive = 60;

    private readonly ClusterSettings _settings;
    private readonly IOutageListener _gutter;
    private readonly NodeHealth _health;
    private readonly NodeConnections _connections;
    private readonly StatisticsConnection _statistics;
    private readonly OutageLog _outages;
    private readonly SlownessLog _slowness;
    private readonly CancellationTokenSource _disposed = new();
    private long _failuresSeen;

    public Node(ClusterSettings settings, ServerAddress address, IOutageListener gutter)
    {
        _settings = settings;
        _gutter = gutter;
        GutterFences = new GutterFences(this);
        _health = new NodeHealth(settings.NewCircuit(), this, settings.Connections.TimeProvider, _disposed.Token);
        Counters = new NodeCounters(
            address.ToString(),
            settings.Connections.Telemetry.OfNode(address.Host, address.Port, OperationNames.All),
            () => _health.RetryAfter);
        Consistency = new NodeConsistency(this, settings.Consistency, Counters, settings.Logger, _disposed.Token);
        _slowness = new SlownessLog(Counters.Server, settings.Connections.Clock.AttemptTimeout, settings.Connections.TimeProvider, settings.Logger);
        _outages = new OutageLog(Counters, () => gutter.HasOthers, settings.Logger);
        _statistics = new StatisticsConnection(settings.Connections, address);
        _connections = new NodeConnections(settings, address, _health, Consistency, _outages);
    }

    /// <summary>Where the server listens; also what it is on the ring.</summary>
    public ServerAddress Address => _connections.Server;

    /// <summary>The counts of this server.</summary>
    public NodeCounters Counters { get; }

    /// <summary>Which keys and items of the server may be old.</summary>
    public NodeConsistency Consistency { get; }

    /// <summary>Which items of others may be read in the node's place while it is down.</summary>
    public GutterFences GutterFences { get; }

    /// <summary>The server is worth asking.</summary>
    public MemcachedNodeState State => _health.State;

    /// <summary>The largest item that the server takes, header included; 0 while it has not been asked.</summary>
    public int ItemSizeMax => _connections.Handshake?.ItemSizeMax ?? 0;

    /// <summary>The version that the server told last.</summary>
    public string? ServerVersion => _connections.Handshake?.ServerVersion;

    /// <summary>The server is asked by classic commands; null while it has not been asked anything.</summary>
    public bool? IsClassic => _connections.Handshake?.IsClassic;

    /// <summary>Replies awaited.</summary>
    public int PendingCount => _connections.PendingCount;

    /// <summary>No deadline is near.</summary>
    public bool IsQuiet => _connections.AreQuiet;

    /// <inheritdoc/>
    bool INodeChannel.IsUp => State == MemcachedNodeState.Up;

    /// <inheritdoc/>
    bool INodeChannel.KeepsCas => _connections.Handshake?.KeepsCas == true;

    /// <summary>Sends a request by the slot of its hash, so that the requests of one key keep their order.</summary>
    public ValueTask<OperationResult> Execute<TRequest>(
        scoped in TRequest request,
        uint hash,
        ValueTarget target,
        CallMode mode,
        CancellationToken cancellationToken)
        where TRequest : struct, IRequest, allows ref struct
    {
        bool isInOrder = request.Kind is OperationKind.Store or OperationKind.Delete
            or OperationKind.Put or OperationKind.Append or OperationKind.Increment;

        // A connection may end between the look and the request; nothing was sent then, and the next one is asked, once.
        for (int attempt = 0; attempt < 2; attempt++)
        {
            if (_connections.Acquire(hash, mode, isInOrder) is not { } connection)
            {
                break;
            }

            if (connection.TryExecute(request, target, cancellationToken, out ValueTask<OperationResult> result))
            {
                return result;
            }
        }

        if (isInOrder && !request.ChangedKey.IsEmpty)
        {
            Consistency.Record(request.ChangedKey, mayOvertakeRemoval: false, SettlingConnection.Any);
        }

        return Unavailable(request.Kind);
    }

    /// <summary>
    /// Sends a read that need not come after what its key was asked before. Where the value was large the last time
    /// another connection takes it, if that is open, so that the reads of small values do not wait for it.
    /// </summary>
    public ValueTask<OperationResult> Read(
        scoped in KeyRequest request,
        uint hash,
        ValueTarget target,
        CancellationToken cancellationToken)
        => _connections.AcquireForLargeValue(hash) is { } connection
            && connection.TryExecute(request, target, cancellationToken, out ValueTask<OperationResult> result)
            ? result
            : Execute(request, hash, target, CallMode.Async, cancellationToken);

    /// <summary>
    /// Sends a touch or an inspection. Classic commands bring the value with the answer, so there a large one goes the way of
    /// <see cref="Read"/>; but a CAS token would be another connection's there, unless servers are shared.
    /// </summary>
    public ValueTask<OperationResult> Look(scoped in KeyRequest request, uint hash, CallMode mode, CancellationToken cancellationToken)
        => mode == CallMode.Async
            && (!request.WithCas || _settings.Connections.IsShared)
            && _connections.AcquireForLargeValue(hash) is { Handshake.IsClassic: true } connection
            && connection.TryExecute(request, ValueTarget.OwnArray, cancellationToken, out ValueTask<OperationResult> result)
            ? result
            : Execute(request, hash, ValueTarget.OwnArray, mode, cancellationToken);

    /// <summary>
    /// Sends a request whose condition is a CAS token that <paramref name="origin"/> told. By another connection, or to
    /// another node, nothing is sent, and the condition does not hold: a server that was restarted counts anew. Where
    /// servers are shared a connection tells nothing of that, and any connection of the node will do.
    /// </summary>
    public ValueTask<OperationResult> ExecuteOn<TRequest>(
        object? origin,
        scoped in TRequest request,
        uint hash,
        CancellationToken cancellationToken)
        where TRequest : struct, IRequest, allows ref struct =>
        _connections.Acquire(hash, CallMode.Async, changes: false) is { } connection
        && (_settings.Connections.IsShared ? Address : (object)connection) == origin
        && connection.TryExecute(request, ValueTarget.OwnArray, cancellationToken, out ValueTask<OperationResult> result)
            ? result
            : new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));

    /// <summary>
    /// As <see cref="ExecuteOn"/>, for a caller who is told the difference between a condition that does not hold and a server that
    /// cannot be asked. A token that was read in the other <see cref="CallMode"/> is of another connection: a server may have been
    /// restarted behind the one while nothing has told the other.
    /// </summary>
    public ValueTask<OperationResult> ExecuteOnOrigin<TRequest>(
        object? origin,
        scoped in TRequest request,
        uint hash,
        CallMode mode,
        CancellationToken cancellationToken)
        where TRequest : struct, IRequest, allows ref struct
    {
        if (_connections.Acquire(hash, mode, changes: false) is not { } connection)
        {
            return Unavailable(request.Kind);
        }

        return (_settings.Connections.IsShared ? Address : (object)connection) == origin && connection.TryExecute(request, ValueTarget.OwnArray, cancellationToken, out ValueTask<OperationResult> result)
            ? result
            : new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.Conflict));
    }

    /// <summary>Asks the server an administrator's question, on a connection of its own.</summary>
    public Task<AdminReply> AskAsync(AdminCommand command, CancellationToken cancellationToken)
        => AdminExchange.AskAsync(_settings.Connections, Address, command, cancellationToken);

    /// <summary>Opens the first connection before anybody asks for it.</summary>
    public void Warm() => _connections.Warm();

    /// <summary>
    /// Takes the name that the configuration has for the same address now. The certificates of new connections are for that name; what
    /// is open stays.
    /// </summary>
    public void Rename(ServerAddress address)
    {
        if (address.ConfiguredHost != Address.ConfiguredHost)
        {
            _connections.Server = address;
            _statistics.Server = address;
        }
    }

    /// <summary>Looks after the deadlines of all connections.</summary>
    public void Scan()
    {
        int timedOut = 0;
        long answered = 0;
        _connections.Scan(ref timedOut, ref answered);
        if (timedOut != 0)
        {
            Counters.AddTimeouts(timedOut);
        }

        // The operations that blocked callers gave up by themselves, or a broken connection lost, count with the rest.
        long failures = Counters.Failures;
        _health.Report(answered, failures - _failuresSeen);
        _failuresSeen = failures;
        _slowness.Note(timedOut);
    }

    /// <inheritdoc cref="NodeConnections.Renew"/>
    public void Renew(Func<Connection, bool> isOutdated) => _connections.Renew(isOutdated);

    /// <summary>Ends all connections, those in use after what they have been asked.</summary>
    public async Task DrainAsync()
    {
        _health.Retire();
        await _disposed.CancelAsync().ConfigureAwait(false);
        _statistics.Close();
        await _connections.DrainAsync().ConfigureAwait(false);
    }

    /// <summary>Ends all connections now.</summary>
    public void Abort()
    {
        _health.Retire();
        _disposed.Cancel();
        _statistics.Close();
        _connections.Abort();
    }

    private ValueTask<OperationResult> Unavailable(OperationKind kind)
    {
        Counters.AddErrors(1);
        Counters.Telemetry.Refused((int)kind, RequestOutcome.Unavailable);
        return new ValueTask<OperationResult>(OperationResult.Failed(Counters.Unavailable));
    }

    /// <inheritdoc/>
    async Task<ulong?> INodeChannel.ProbeAsync()
    {
        var request = new KeyRequest(OperationKind.Probe, WireKey.Of(_settings.ProbeKey), ProbeTimeToLive);
        OperationResult result = await Execute(request, 0, ValueTarget.OwnArray, CallMode.Async, CancellationToken.None).ConfigureAwait(false);
        return result.Status == ResultStatus.Success ? result.Cas : null;
    }

    /// <inheritdoc/>
    Task<OperationResult> INodeChannel.DeleteAsync(byte[] key) =>
        Execute(
                new KeyRequest(OperationKind.Delete, WireKey.Of(key)) { IsReplay = true },
                HashRing.Hash(key),
                ValueTarget.OwnArray,
                CallMode.Async,
                CancellationToken.None)
            .AsTask();

    /// <inheritdoc/>
    Task<ServerStatistics?> INodeChannel.GetStatisticsAsync(CancellationToken cancellationToken) =>
        _statistics.AskAsync(cancellationToken);

    /// <inheritdoc/>
    void INodeHealthEvents.OnGoingDown()
    {
        Consistency.OnGoingDown();
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
        _settings.NodeDown?.Invoke();
    }

    /// <inheritdoc/>
    void INodeHealthEvents.OnConnected(bool isNews)
    {
        _statistics.Close();
        if (isNews)
        {
            _connections.ClearBackoff();
            _outages.End();
            Counters.NodeStateChanged(MemcachedNodeState.Up);
            Log.NodeUp(
                _settings.Logger,
                Counters.Server,
                ServerVersion ?? "unknown",
                (ItemSizeMax == 0 ? "and it does not tell how large items may be" : $"items up to {ItemSizeMax} bytes")
                    + (_connections.Handshake?.IsClassic == true ? ", asked by classic commands" : ""));
        }

        Consistency.OnConnected(isNews);
        _gutter.OnConnected(this);
    }

    /// <inheritdoc/>
    ValueTask<Connection?> INodeHealthEvents.ProbeAsync(CancellationToken cancellationToken) => _connections.ProbeAsync(cancellationToken);
}
