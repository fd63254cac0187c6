namespace MemcachedDistributedCache.Connections;

/// <summary>
/// A coarse clock for deadlines: an operation notes one integer and reads no clock. A deadline falls between 14/16 and the whole of
/// the operation's limit, and one timer serves every connection of a cluster. Ticks wrap around; only differences count.
/// </summary>
internal sealed class OperationClock(TimeProvider timeProvider, TimeSpan operationTimeout)
{
    /// <summary>The ticks of one operation limit.</summary>
    public const int TicksPerTimeout = 16;

    /// <summary>
    /// After a pause of the process the clock goes on at twice its pace instead of jumping: an operation that began just before has its
    /// start noted by a clock that stood, and would be timed out in its first moment.
    /// </summary>
    private const int LargestStep = 2;

    private long _last = timeProvider.GetTimestamp();
    private int _now;

    /// <summary>The length of a tick, at least a millisecond.</summary>
    public TimeSpan Interval { get; } = TimeSpan.FromMilliseconds(Math.Max(1, operationTimeout.TotalMilliseconds / TicksPerTimeout));

    /// <summary>The current tick.</summary>
    public int Now => Volatile.Read(ref _now);

    /// <summary>The limit of one operation.</summary>
    public TimeSpan OperationTimeout => operationTimeout;

    /// <summary>Reads the time; called by one timer.</summary>
    public void Advance()
    {
        long timestamp = timeProvider.GetTimestamp();
        double ticks = timeProvider.GetElapsedTime(_last, timestamp) / Interval;
        if (ticks >= 1)
        {
            _last = timestamp;
            Volatile.Write(ref _now, unchecked(_now + (int)Math.Min(Math.Round(ticks), LargestStep)));
        }
    }
}
