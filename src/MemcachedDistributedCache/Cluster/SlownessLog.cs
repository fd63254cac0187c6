using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Diagnostics;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>Says once that a server does not answer in time, and once that it does again: when it has for five limits in a row.</summary>
internal sealed class SlownessLog(string server, TimeSpan limit, ILogger logger)
{
    private int _quietSweeps;
    private bool _isSlow;

    /// <summary>Notes how many requests timed out since the last sweep.</summary>
    public void Note(int timedOut)
    {
        _quietSweeps = timedOut != 0 ? 0 : Math.Min(_quietSweeps + 1, int.MaxValue - 1);
        if (timedOut != 0 && !_isSlow)
        {
            _isSlow = true;
            Log.NodeSlow(logger, server, limit.TotalMilliseconds);
        }
        else if (_isSlow && _quietSweeps >= 5 * OperationClock.TicksPerTimeout)
        {
            _isSlow = false;
            Log.NodeInTime(logger, server);
        }
    }
}
