using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;
namespace MemcachedDistributedCache.Connections;

/// <summary>The failures that the operations of one connection end with when there is no answer, and how long each took.</summary>
internal sealed class FailureReasons(ConnectionSettings settings, NodeCounters counters)
{
    private readonly OperationResult _timedOut = OperationResult.Failed(counters.TimedOut);

    /// <summary>Where the whole limit has passed, and no more than that.</summary>
    public OperationResult TimedOut => _timedOut;

    /// <summary>Where more has passed: no retry may add to it.</summary>
    public OperationResult TimedOutAfter(TimeSpan took) => OperationResult.Failed(counters.TimedOut with { Took = took });

    /// <summary>
    /// The failure of those whose time is up at a tick of the clock. Where the clock has lagged behind they have waited
    /// longer than the limit.
    /// </summary>
    public OperationResult TimedOutAt(int now)
    {
        TimeSpan took = settings.Clock.Since(unchecked(now - OperationClock.TicksPerTimeout - 1));
        return took <= settings.Clock.AttemptTimeout + (2 * settings.Clock.Interval) ? _timedOut : TimedOutAfter(took);
    }

    /// <summary>
    /// Where the connection has ended. One that was given up for its silence did not break: the answer did not come in
    /// time.
    /// </summary>
    public OperationResult Ended(ConnectionEnd end, bool wasSent, int startedAt)
    {
        MemcachedFailureReason reason = !wasSent ? MemcachedFailureReason.Unavailable
            : end.Reason == ConnectionEndReason.Stalled ? MemcachedFailureReason.TimedOut
            : MemcachedFailureReason.ConnectionLost;
        return OperationResult.Failed(
            new OperationFailure(reason, counters, wasSent, end.Cause)
            {
                Took = settings.Clock.Since(startedAt),
                Detail = end.Reason == ConnectionEndReason.ConnectFailed ? end.Message : null,
            });
    }
}
