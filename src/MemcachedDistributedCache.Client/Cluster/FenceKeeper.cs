using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Cluster;

/// <summary>Asks a node for the number that its fences need. One task, which runs while there is something to ask and the node is up.</summary>
internal sealed class FenceKeeper(Node node, ClusterSettings settings, CancellationToken stop)
{
    private readonly Lock _lock = new();
    private readonly List<CasFence> _fences = [];
    private bool _isRunning;

    /// <summary>
    /// Which items are of the time since the node was last down, for those who must not read what may have been replaced elsewhere meanwhile.
    /// </summary>
    public CasFence SinceOutage { get; } = new();

    /// <summary>Lets nothing pass a fence until it is raised.</summary>
    public void Forget(CasFence fence)
    {
        lock (_lock)
        {
            fence.Forget_NeedsLock(ask: false);
        }
    }

    /// <summary>Lets nothing pass a fence that is stored by now.</summary>
    public void Raise(CasFence fence)
    {
        lock (_lock)
        {
            fence.Forget_NeedsLock(ask: true);
            if (!_fences.Contains(fence))
            {
                _fences.Add(fence);
            }
        }

        Wake();
    }

    /// <summary>What has a higher number than a fence may be old all the same: those in force are renewed.</summary>
    public void RaiseAll()
    {
        lock (_lock)
        {
            foreach (CasFence fence in _fences)
            {
                if (fence.IsInForce)
                {
                    fence.Forget_NeedsLock(ask: true);
                }
            }
        }

        Wake();
    }

    /// <summary>Whether a fence is in force.</summary>
    public bool AreAnyInForce()
    {
        lock (_lock)
        {
            return _fences.Exists(static fence => fence.IsInForce);
        }
    }

    /// <summary>A fence is of no use any more.</summary>
    public void Drop(CasFence fence)
    {
        lock (_lock)
        {
            _fences.Remove(fence);
        }
    }

    /// <summary>The node is about to be down.</summary>
    public void OnGoingDown() => Forget(SinceOutage);

    /// <summary>A connection was opened; <paramref name="isNews"/> if the node was not up before.</summary>
    public void OnConnected(bool isNews)
    {
        lock (_lock)
        {
            foreach (CasFence fence in _fences)
            {
                fence.RequireCheck_NeedsLock();
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
        => !stop.IsCancellationRequested && node.State == MemcachedNodeState.Up && _fences.Exists(static fence => fence.IsWanted || fence.NeedsCheck);

    /// <summary>What is to be asked for; null ends the run, under the lock, so that a wake either sees it running or begins the next.</summary>
    private (CasFence Fence, int Version)[]? Take()
    {
        lock (_lock)
        {
            _isRunning = HasWork_NeedsLock();
            return _isRunning ? [.. _fences.Select(static fence => (fence, fence.Version))] : null;
        }
    }

    private void Settle((CasFence Fence, int Version)[] due, ulong cas)
    {
        lock (_lock)
        {
            foreach ((CasFence fence, int version) in due)
            {
                fence.Settle_NeedsLock(version, cas);
            }
        }
    }
}
