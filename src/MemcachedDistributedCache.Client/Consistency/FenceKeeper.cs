using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Consistency;

/// <summary>
/// Closes and renews the fences of one node: the fence of the whole node, the fence of its last outage, and those of
/// others (gutter, moved keys). To renew a fence the server is asked for its number, by one task for all of them, which
/// runs while something is to be asked and the node is up.
/// </summary>
internal sealed class FenceKeeper
{
    /// <summary>
    /// No server counts further: at a million stores a second that takes 292 000 years. A greater number was set by a
    /// client (E), or is a lie; as a fence it would let nothing pass for ever.
    /// </summary>
    private const ulong LargestCount = long.MaxValue;

    private readonly INodeChannel _node;
    private readonly ConsistencySettings _settings;
    private readonly NodeCounters _counters;
    private readonly ILogger _logger;
    private readonly CancellationToken _stop;
    private readonly CasStabilityMonitor _monitor;
    private readonly BackgroundLoop _loop;
    private readonly Lock _lock = new();
    private readonly List<CasFence> _fences;

    public FenceKeeper(INodeChannel node, ConsistencySettings settings, NodeCounters counters, ILogger logger, CancellationToken stop)
    {
        _node = node;
        _settings = settings;
        _counters = counters;
        _logger = logger;
        _stop = stop;
        _fences = [WholeNode, SinceOutage];
        _monitor = new CasStabilityMonitor(node, this, settings, counters, logger, stop);
        _loop = new BackgroundLoop(HasWork, AskAsync, stop);
    }

    /// <summary>Which items of the node may be read at all. Closed while every key is uncertain.</summary>
    public CasFence WholeNode { get; } = new();

    /// <summary>
    /// Which items are of the time since the node was last down, for those who must not read what may have been
    /// replaced elsewhere meanwhile.
    /// </summary>
    public CasFence SinceOutage { get; } = new();

    /// <summary>
    /// Called when the server did not tell its number. It may stand still, with requests from before in its sockets, of
    /// which nobody knows whether they come before the next answer or after it.
    /// </summary>
    public Action? Unanswered { get; init; }

    /// <summary>
    /// Lets nothing pass a fence until it is renewed. Where servers are shared that is of use for the whole node only,
    /// for a while: see <see cref="InvalidationReplay.SharedPause"/>.
    /// </summary>
    public void Close(CasFence fence)
    {
        if (_settings.IsShared && fence != WholeNode)
        {
            return;
        }

        lock (_lock)
        {
            fence.Close_NeedsLock(ask: false);
        }
    }

    /// <summary>
    /// Lets nothing pass a fence that is stored by now, and everything that is stored from now on. Where servers are
    /// shared everything: one number cannot stand for all of them.
    /// </summary>
    public void Renew(CasFence fence)
    {
        if (_settings.IsShared)
        {
            Open(fence);
            return;
        }

        lock (_lock)
        {
            fence.Close_NeedsLock(ask: true);
            if (!_fences.Contains(fence))
            {
                _fences.Add(fence);
            }
        }

        _loop.Wake();
    }

    /// <summary>Renews every fence in force: an item with a greater CAS than theirs may be old all the same.</summary>
    public void RenewAll()
    {
        lock (_lock)
        {
            foreach (CasFence fence in _fences.Where(static fence => fence.IsInForce))
            {
                fence.Close_NeedsLock(ask: true);
            }
        }

        _loop.Wake();
    }

    /// <summary>An item's CAS decides about some reads, or will.</summary>
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
            Renew(SinceOutage);
        }

        _loop.Wake();
    }

    private void Open(CasFence fence)
    {
        bool isReadAgain;
        lock (_lock)
        {
            isReadAgain = fence == WholeNode && fence.IsSet;
            fence.Open_NeedsLock();
        }

        if (isReadAgain)
        {
            Log.FenceRenewed(_logger, _counters.Server, "what it had stored before is too, as far as it has not been removed");
        }
    }

    private bool HasWork()
    {
        lock (_lock)
        {
            return _node.IsUp && _fences.Exists(static fence => fence.IsWanted || fence.NeedsCheck);
        }
    }

    private async Task AskAsync()
    {
        (CasFence Fence, int Version)[] asked;
        lock (_lock)
        {
            asked = [.. _fences.Select(static fence => (fence, fence.Version))];
        }

        if (await ProbeAsync().ConfigureAwait(false) is not { } cas)
        {
            Unanswered?.Invoke();
            await Task.Delay(_settings.RetryPause, _settings.TimeProvider, _stop).ConfigureAwait(false);
            return;
        }

        bool isReadAgain = false;
        lock (_lock)
        {
            foreach ((CasFence fence, int version) in asked)
            {
                isReadAgain |= fence.Settle_NeedsLock(version, cas) && fence == WholeNode;
            }
        }

        if (isReadAgain)
        {
            Log.FenceRenewed(_logger, _counters.Server, "what it had stored before is not");
        }
    }

    /// <summary>The server's number of now; null if there is none, or none to rely on.</summary>
    private async Task<ulong?> ProbeAsync()
    {
        await _monitor.BeginAsync().ConfigureAwait(false);
        return !_monitor.IsBlind && await _node.ProbeAsync().ConfigureAwait(false) is <= LargestCount and var cas && !_monitor.IsBlind ? cas : null;
    }
}
