using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Consistency;

/// <summary>
/// Watches a server that gives items a new CAS when it moves them in its memory, as memcached does below 1.6.24: an old
/// item gets past a fence that way. The server counts such items. When its count has moved, or cannot be read, every
/// fence is renewed. One task, which runs while a fence is in force.
/// <para>
/// The count grows when a page has been moved, and the items of that page have their new CAS before that. So a page
/// that is being moved counts as moved, too.
/// </para>
/// </summary>
internal sealed class CasStabilityMonitor
{
    /// <summary>
    /// The pause between two looks. An old item may be read for that long, and the time of an exchange, after it got
    /// past a fence.
    /// </summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly INodeChannel _node;
    private readonly FenceKeeper _fences;
    private readonly ConsistencySettings _settings;
    private readonly NodeCounters _counters;
    private readonly ILogger _logger;
    private readonly CancellationToken _stop;
    private readonly BackgroundLoop _loop;
    private ServerStatistics? _before;
    private bool _isBlind;

    public CasStabilityMonitor(
        INodeChannel node,
        FenceKeeper fences,
        ConsistencySettings settings,
        NodeCounters counters,
        ILogger logger,
        CancellationToken stop)
    {
        _node = node;
        _fences = fences;
        _settings = settings;
        _counters = counters;
        _logger = logger;
        _stop = stop;
        _loop = new BackgroundLoop(HasWork, LookAsync, stop);
    }

    /// <summary>The server did not tell when it was last asked, so that no fence is believed.</summary>
    public bool IsBlind => Volatile.Read(ref _isBlind) && !_node.KeepsCas;

    /// <summary>
    /// Runs before a fence is renewed: an item that gets a new CAS after that must show against a count from before it.
    /// Called by one task at a time.
    /// </summary>
    public async ValueTask BeginAsync()
    {
        if (_loop.IsRunning || _node.KeepsCas)
        {
            return;
        }

        _before = await AskAsync().ConfigureAwait(false);
        _loop.Wake();
    }

    private bool HasWork() => _fences.AreAnyInForce() && !_node.KeepsCas;

    private async Task LookAsync()
    {
        await Task.Delay(Interval, _settings.TimeProvider, _stop).ConfigureAwait(false);

        // Of a node that is not up nothing is read.
        if (!_node.IsUp || !HasWork())
        {
            return;
        }

        ServerStatistics? before = _before;
        ServerStatistics? now = await AskAsync().ConfigureAwait(false);
        _stop.ThrowIfCancellationRequested();
        if (before is { IsMovingPage: false } && now is { IsMovingPage: false } && now.Renumbered == before.Renumbered)
        {
            return;
        }

        // First what is compared with, then the fences: they are newer than it.
        _before = now;
        _fences.RenewAll();
        if (before is not null || now is not null)
        {
            Log.FencesBypassed(_logger, _counters.Server, _node.ServerVersion ?? "unknown");
        }
    }

    private async Task<ServerStatistics?> AskAsync()
    {
        ServerStatistics? now = await _node.GetStatisticsAsync(_stop).ConfigureAwait(false);
        Volatile.Write(ref _isBlind, now is null);
        return now;
    }
}
