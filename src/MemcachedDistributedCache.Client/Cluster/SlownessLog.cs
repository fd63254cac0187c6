using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>Says once that a server does not answer in time, and once that it does again: when it has for five limits in a row.</summary>
internal sealed class SlownessLog(string server, TimeSpan limit, TimeProvider timeProvider, ILogger logger)
{
    private long _timedOutAt;
    private bool _isSlow;

    /// <summary>Notes how many requests timed out since the last scan.</summary>
    public void Note(int timedOut)
    {
        if (timedOut != 0)
        {
            _timedOutAt = timeProvider.GetTimestamp();
            if (!_isSlow)
            {
                _isSlow = true;
                Log.NodeSlow(logger, server, limit.TotalMilliseconds);
            }
        }
        else if (_isSlow && timeProvider.GetElapsedTime(_timedOutAt) >= 5 * limit)
        {
            _isSlow = false;
            Log.NodeInTime(logger, server);
        }
    }
}
