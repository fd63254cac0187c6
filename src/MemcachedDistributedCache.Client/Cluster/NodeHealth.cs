using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// A node is worth asking. What its requests come to is told to its circuit; while that is open the node is down, and one task probes
/// it until it answers.
/// </summary>
internal sealed class NodeHealth
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(1);

    private readonly ICircuit _circuit;
    private readonly INodeHealthEvents _events;
    private readonly TimeProvider _time;
    private readonly CancellationToken _stop;
    private readonly BackgroundLoop _recovery;
    private readonly Lock _lock = new();
    private int _state = (int)MemcachedNodeState.Unknown;
    private bool _isRetired;

    public NodeHealth(ICircuit circuit, INodeHealthEvents events, TimeProvider timeProvider, CancellationToken stop)
    {
        _circuit = circuit;
        _events = events;
        _time = timeProvider;
        _stop = stop;
        _recovery = new BackgroundLoop(() => State == MemcachedNodeState.Down, TryOnceAsync, stop);
    }

    /// <summary>The state; all that an operation looks at.</summary>
    public MemcachedNodeState State => (MemcachedNodeState)Volatile.Read(ref _state);

    /// <summary>How long until a node that is down is tried again; null while it is not.</summary>
    public TimeSpan? RetryAfter => State == MemcachedNodeState.Down ? _circuit.UntilProbe : null;

    /// <summary>A connection was opened; false if it has ended since. A node that is down comes up by a probe only.</summary>
    public bool OnOpened(Connection connection) => TryMarkUp(connection, byProbe: false);

    /// <summary>Tells how requests fared since the last report.</summary>
    public void Report(long answered, long failed)
    {
        if (State == MemcachedNodeState.Up && _circuit.Report(answered, failed))
        {
            MarkDown("too few of its requests are answered in time", static () => false);
        }
    }

    /// <summary>Marks the node down, unless it is, or the condition holds.</summary>
    public void MarkDown(string reason, Func<bool> unless)
    {
        lock (_lock)
        {
            if (State == MemcachedNodeState.Down || _isRetired || unless())
            {
                return;
            }

            _events.OnGoingDown();

            // Under the lock, and before the state: later, it would open the circuit of a node that has come up again
            // meanwhile, and nothing would close it.
            _circuit.Trip();
            Volatile.Write(ref _state, (int)MemcachedNodeState.Down);
        }

        _events.OnDown(reason);
        _recovery.Wake();
    }

    /// <summary>The node is to be used no more: whatever it is, it stays.</summary>
    public void Retire()
    {
        lock (_lock)
        {
            if (!_isRetired && State == MemcachedNodeState.Down)
            {
                _events.OnComingUp();
            }

            _isRetired = true;
        }
    }

    /// <summary>
    /// Marks the node up on the word of a connection that is still there. One that ends later finds the node up and marks it down; one
    /// that ended before is not believed. So a node is never up with nobody left to notice that it is not.
    /// </summary>
    private bool TryMarkUp(Connection connection, bool byProbe)
    {
        bool isNews;
        lock (_lock)
        {
            if (!connection.IsUsable || _isRetired || (State == MemcachedNodeState.Down && !byProbe))
            {
                return false;
            }

            isNews = State != MemcachedNodeState.Up;
            if (State == MemcachedNodeState.Down)
            {
                _events.OnComingUp();
            }

            Volatile.Write(ref _state, (int)MemcachedNodeState.Up);
        }

        _events.OnConnected(isNews);
        return true;
    }

    /// <summary>Probes a node that is down, when its pause is over.</summary>
    private async Task TryOnceAsync()
    {
        TimeSpan pause = _circuit.UntilProbe;
        await Task.Delay(pause > ShortestPause ? pause : ShortestPause, _time, _stop).ConfigureAwait(false);
        Connection? answered = null;
        bool isWell = await _circuit.ProbeAsync(
            async cancellationToken => (answered = await _events.ProbeAsync(cancellationToken).ConfigureAwait(false)) is not null,
            _stop).ConfigureAwait(false);
        _stop.ThrowIfCancellationRequested();
        if (!isWell || !TryMarkUp(answered!, byProbe: true))
        {
            // One that answers and ends at once is not well either.
            _circuit.Trip();
        }
    }
}

/// <summary>The consequences of a change of a node's health. The first two run under its lock and must not wait.</summary>
internal interface INodeHealthEvents
{
    /// <summary>The node is about to be down.</summary>
    void OnGoingDown();

    /// <summary>The node is about to be no longer down.</summary>
    void OnComingUp();

    /// <summary>The node is down.</summary>
    void OnDown(string reason);

    /// <summary>The node is up, by a connection that was opened or probed; <paramref name="isNews"/> if it was not up before.</summary>
    void OnConnected(bool isNews);

    /// <summary>Asks the node for an answer; the connection that gave it, or null.</summary>
    ValueTask<Connection?> ProbeAsync(CancellationToken cancellationToken);
}
