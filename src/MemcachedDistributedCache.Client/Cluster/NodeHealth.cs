using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Whether a node is worth asking. What its requests come to is told to its circuit; while that is open the node is down, and one task probes
/// it until it answers.
/// </summary>
internal sealed class NodeHealth(ICircuit circuit, INodeHealthEvents events, TimeProvider timeProvider, CancellationToken stop)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(1);

    private readonly Lock _lock = new();
    private int _state = (int)MemcachedNodeState.Unknown;
    private bool _isRecovering;
    private bool _isRetired;

    /// <summary>The state; all that an operation looks at.</summary>
    public MemcachedNodeState State => (MemcachedNodeState)Volatile.Read(ref _state);

    /// <summary>How long until a node that is down is tried again; null while it is not.</summary>
    public TimeSpan? RetryAfter => State == MemcachedNodeState.Down ? circuit.UntilProbe : null;

    /// <summary>A connection was opened; false if it has ended since. A node that is down comes up by a probe only.</summary>
    public bool OnOpened(Connection connection) => TryMarkUp(connection, byProbe: false);

    /// <summary>Tells how requests fared since the last report.</summary>
    public void Report(long answered, long failed)
    {
        if (State == MemcachedNodeState.Up && circuit.Report(answered, failed))
        {
            MarkDown("too few of its requests are answered in time", static () => false);
        }
    }

    /// <summary>Marks the node down, unless it is, or the condition holds.</summary>
    public void MarkDown(string reason, Func<bool> unless)
    {
        bool recover;
        lock (_lock)
        {
            if (State == MemcachedNodeState.Down || _isRetired || unless())
            {
                return;
            }

            events.OnGoingDown();

            // Under the lock, and before the state: later, it would open the circuit of a node that has come up again meanwhile, and nothing would close it.
            circuit.Trip();
            Volatile.Write(ref _state, (int)MemcachedNodeState.Down);
            recover = !_isRecovering;
            _isRecovering = true;
        }

        events.OnDown(reason);
        if (recover)
        {
            using (FlowGuard.Suppress())
            {
                _ = RecoverAsync();
            }
        }
    }

    /// <summary>The node is to be used no more: whatever it is, it stays.</summary>
    public void Retire()
    {
        lock (_lock)
        {
            if (!_isRetired && State == MemcachedNodeState.Down)
            {
                events.OnComingUp();
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
                events.OnComingUp();
            }

            Volatile.Write(ref _state, (int)MemcachedNodeState.Up);
        }

        events.OnConnected(isNews);
        return true;
    }

    /// <summary>Probes until the node is up; there is at most one of it.</summary>
    private async Task RecoverAsync()
    {
        try
        {
            do
            {
                while (State == MemcachedNodeState.Down)
                {
                    TimeSpan pause = circuit.UntilProbe;
                    await Task.Delay(pause > ShortestPause ? pause : ShortestPause, timeProvider, stop).ConfigureAwait(false);
                    await TryOnceAsync().ConfigureAwait(false);
                }
            }
            while (!EndRecovery());
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The node is gone, and with it the wish to reach it.
        }
    }

    private async Task TryOnceAsync()
    {
        Connection? answered = null;
        bool isWell = await circuit.ProbeAsync(
            async cancellationToken => (answered = await events.ProbeAsync(cancellationToken).ConfigureAwait(false)) is not null,
            stop).ConfigureAwait(false);
        stop.ThrowIfCancellationRequested();
        if (!isWell || !TryMarkUp(answered!, byProbe: true))
        {
            // One that answers and ends at once is not well either.
            circuit.Trip();
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
}

/// <summary>What follows from a change of a node's health. The first two run under its lock and must not wait.</summary>
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
