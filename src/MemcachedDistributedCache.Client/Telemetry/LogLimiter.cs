namespace MemcachedDistributedCache.Telemetry;

/// <summary>
/// Lets a warning pass at most once a minute, and counts those in between: what is said of an item comes with each read
/// of it, and must not fill the log. Measured by a monotonic clock, because a clock that is set back would silence the
/// warning for as long.
/// </summary>
/// <param name="clock">The system's own where nothing is given; the application's may stand still.</param>
internal sealed class LogLimiter(TimeProvider? clock = null)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;
    private long _nextAt = long.MinValue;
    private long _suppressed;

    /// <summary>True if the event is to be logged now.</summary>
    /// <param name="suppressed">How many were not logged since the last one that was.</param>
    public bool TryPass(out long suppressed)
    {
        suppressed = 0;
        long now = _clock.GetTimestamp();
        long next = Volatile.Read(ref _nextAt);
        long after = now + (long)(Interval.TotalSeconds * _clock.TimestampFrequency);
        if (now < next || Interlocked.CompareExchange(ref _nextAt, after, next) != next)
        {
            Interlocked.Increment(ref _suppressed);
            return false;
        }

        suppressed = Interlocked.Exchange(ref _suppressed, 0);
        return true;
    }
}
