using MemcachedDistributedCache.Diagnostics;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Says why a node is down: once as it goes down, and once for each other reason that a try to reach it ends for. The first may be a connection that was
/// refused, and the one that matters a server too old that was started since.
/// </summary>
internal sealed class OutageLog(string server, ILogger logger)
{
    /// <summary>So many reasons are told of one outage.</summary>
    private const int MostReasons = 4;

    private readonly Lock _lock = new();
    private readonly HashSet<string> _reasons = new(StringComparer.Ordinal);

    /// <summary>The node is down, or still is.</summary>
    public void Note(string reason)
    {
        lock (_lock)
        {
            if (_reasons.Count == MostReasons || !_reasons.Add(reason))
            {
                return;
            }
        }

        Log.NodeDown(logger, server, reason);
    }

    /// <summary>The node is up.</summary>
    public void End()
    {
        lock (_lock)
        {
            _reasons.Clear();
        }
    }
}
