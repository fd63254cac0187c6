using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Says why a node is down: once as it goes down, and then what a server says of itself that cannot be used, each once.
/// The first reason may be a connection that was refused, and the one that matters a server too old that was started
/// since.
/// </summary>
/// <param name="counters">Told the reason too.</param>
/// <param name="hasGutter">Whether other nodes serve its keys meanwhile.</param>
/// <param name="logger">Where to log.</param>
internal sealed class OutageLog(NodeCounters counters, Func<bool> hasGutter, ILogger logger)
{
    /// <summary>So many reasons are told of one outage.</summary>
    private const int MostReasons = 4;

    private readonly Lock _lock = new();
    private readonly HashSet<string> _reasons = new(StringComparer.Ordinal);

    /// <summary>The counts of this server.</summary>
    public NodeCounters Counters => counters;

    /// <summary>The node is down.</summary>
    public void Begin(string reason)
    {
        lock (_lock)
        {
            _reasons.Clear();
            _reasons.Add(reason);
        }

        counters.NoteOutage(reason);
        Tell(reason);
    }

    /// <summary>Something answered while it was down.</summary>
    public void Note(string unfit)
    {
        lock (_lock)
        {
            if (_reasons.Count is 0 or MostReasons || !_reasons.Add(unfit))
            {
                return;
            }
        }

        counters.NoteOutage(unfit);
        Tell(unfit);
    }

    /// <summary>The node is up.</summary>
    public void End()
    {
        lock (_lock)
        {
            _reasons.Clear();
        }

        counters.NoteOutage(null);
    }

    private void Tell(string reason)
        => Log.NodeDown(
            logger,
            counters.Server,
            reason,
            hasGutter() ? "Its keys are read from and written to the next servers that are up" : "Its keys are misses");
}
