using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Cluster;

/// <summary>Asks a node for the number that its floors need. One task, which runs while there is something to ask and the node is up.</summary>
internal sealed class FloorKeeper(Node node, ClusterSettings settings, CancellationToken stop)
{
    private readonly Lock _lock = new();
    private readonly List<CasFloor> _floors = [];
    private bool _isRunning;

    /// <summary>
    /// Which items are of the time since the node was last down, for those who must not read what may have been replaced elsewhere meanwhile.
    /// </summary>
    public CasFloor SinceOutage { get; } = new();

    /// <summary>Lets nothing pass a floor until it is raised.</summary>
    public void Forget(CasFloor floor)
    {
        lock (_lock)
        {
            floor.Forget_NeedsLock(ask: false);
        }
    }

    /// <summary>Lets nothing pass a floor that is stored by now.</summary>
    public void Raise(CasFloor floor)
    {
        lock (_lock)
        {
            floor.Forget_NeedsLock(ask: true);
            if (!_floors.Contains(floor))
            {
                _floors.Add(floor);
            }
        }

        Wake();
    }

    /// <summary>What has a higher number than a floor may be old all the same: those in force are raised anew.</summary>
    public void RaiseAll()
    {
        lock (_lock)
        {
            foreach (CasFloor floor in _floors)
            {
                if (floor.IsInForce)
                {
                    floor.Forget_NeedsLock(ask: true);
                }
            }
        }

        Wake();
    }

    /// <summary>Whether a floor is in force.</summary>
    public bool AreAnyInForce()
    {
        lock (_lock)
        {
            return _floors.Exists(static floor => floor.IsInForce);
        }
    }

    /// <summary>A floor is of no use any more.</summary>
    public void Drop(CasFloor floor)
    {
        lock (_lock)
        {
            _floors.Remove(floor);
        }
    }

    /// <summary>The node is about to be down.</summary>
    public void OnGoingDown() => Forget(SinceOutage);

    /// <summary>A connection was opened; <paramref name="isNews"/> if the node was not up before.</summary>
    public void OnConnected(bool isNews)
    {
        lock (_lock)
        {
            foreach (CasFloor floor in _floors)
            {
                floor.Doubt_NeedsLock();
            }
        }

        if (isNews && SinceOutage.IsSet)
        {
            Raise(SinceOutage);
        }

        Wake();
    }

    private void Wake()
    {
        lock (_lock)
        {
            if (_isRunning || !HasWork_NeedsLock())
            {
                return;
            }

            _isRunning = true;
        }

        using (FlowGuard.Suppress())
        {
            _ = Task.Run(RunAsync, CancellationToken.None);
        }
    }

    private async Task RunAsync()
    {
        try
        {
            while (Take() is { } due)
            {
                if (await node.ProbeCasAsync().ConfigureAwait(false) is { } cas)
                {
                    Settle(due, cas);
                }
                else
                {
                    await Task.Delay(settings.ReconnectDelay, settings.Connections.TimeProvider, stop).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The node is gone, and nothing is read from it any more.
        }
    }

    private bool HasWork_NeedsLock()
        => !stop.IsCancellationRequested && node.State == MemcachedNodeState.Up && _floors.Exists(static floor => floor.IsWanted || floor.IsDoubted);

    /// <summary>What is to be asked for; null ends the run, under the lock, so that a wake either sees it running or begins the next.</summary>
    private (CasFloor Floor, int Version)[]? Take()
    {
        lock (_lock)
        {
            _isRunning = HasWork_NeedsLock();
            return _isRunning ? [.. _floors.Select(static floor => (floor, floor.Version))] : null;
        }
    }

    private void Settle((CasFloor Floor, int Version)[] due, ulong cas)
    {
        lock (_lock)
        {
            foreach ((CasFloor floor, int version) in due)
            {
                floor.Settle_NeedsLock(version, cas);
            }
        }
    }
}
