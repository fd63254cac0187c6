using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Watches a server that gives items a new CAS when it moves them about in its memory, as memcached does below 1.6.24: an old item gets past a fence that
/// way. The server counts such items; when its count has moved, or cannot be read, the fences are renewed. One task, which runs while a
/// fence is in force.
/// <para>
/// The count grows when a page has been moved, and its items have their numbers before that. So a page that is being moved counts as moved, too.
/// </para>
/// </summary>
internal sealed class CasStabilityMonitor(Node node, ClusterSettings settings, ILogger logger, CancellationToken stop)
{
    /// <summary>For how long an old item may be read after it got past a fence, and the time of an exchange.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private ServerStatistics? _before;
    private bool _isWatching;
    private bool _isBlind;

    /// <summary>Whether the server did not tell when it was last asked, so that no fence is believed.</summary>
    public bool IsBlind => Volatile.Read(ref _isBlind) && !node.KeepsNumbers;

    /// <summary>Runs before a fence is found: whatever is given a new CAS after it must show against a count from before it.</summary>
    public async ValueTask BeginAsync()
    {
        if (!IsDue())
        {
            return;
        }

        ServerStatistics? now = await AskAsync().ConfigureAwait(false);
        lock (_lock)
        {
            if (_isWatching)
            {
                return;
            }

            _isWatching = true;
            _before = now;
        }

        using (FlowGuard.Suppress())
        {
            _ = Task.Run(WatchAsync, CancellationToken.None);
        }
    }

    private bool IsDue()
    {
        lock (_lock)
        {
            return !_isWatching && !node.KeepsNumbers;
        }
    }

    private async Task WatchAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(Interval, settings.Connections.TimeProvider, stop).ConfigureAwait(false);
                if (IsOver())
                {
                    return;
                }

                // Of a node that is not up nothing is read.
                if (node.State == MemcachedNodeState.Up)
                {
                    await LookAsync().ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The node is gone, and nothing is read from it any more.
        }
    }

    private async Task LookAsync()
    {
        ServerStatistics? before = _before;
        ServerStatistics? now = await AskAsync().ConfigureAwait(false);
        stop.ThrowIfCancellationRequested();
        if (before is { IsMovingPage: false } && now is { IsMovingPage: false } && now.Renumbered == before.Renumbered)
        {
            return;
        }

        // First what is compared with, then the fences: they are newer than it.
        _before = now;
        node.RenewFences();
        if (before is not null || now is not null)
        {
            Log.FencesBypassed(logger, node.Counters.Server, node.ServerVersion!);
        }
    }

    /// <summary>Ends the watch under the lock, so that who needs it next either sees it running or begins another.</summary>
    private bool IsOver()
    {
        lock (_lock)
        {
            _isWatching = node.HasFences && !node.KeepsNumbers;
            return !_isWatching;
        }
    }

    private async Task<ServerStatistics?> AskAsync()
    {
        ServerStatistics? now = await StatisticsExchange.RunAsync(settings.Connections, node.Address, stop).ConfigureAwait(false);
        Volatile.Write(ref _isBlind, now is null);
        return now;
    }
}
