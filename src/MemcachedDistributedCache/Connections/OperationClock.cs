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

    /// <summary>Of how many ticks it is remembered when they came; a power of two, and twice what is asked for.</summary>
    private const int Remembered = 4 * TicksPerTimeout;

    private readonly long[] _cameAt = [.. Enumerable.Repeat(timeProvider.GetTimestamp(), Remembered)];
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
            for (int step = (int)Math.Min(Math.Round(ticks), LargestStep); step > 0; step--)
            {
                Volatile.Write(ref _cameAt[unchecked(_now + 1) & (Remembered - 1)], timestamp);
                Volatile.Write(ref _now, unchecked(_now + 1));
            }
        }
    }

    /// <summary>
    /// How long ago a tick of the last two limits came. On a machine too busy to keep the pace that is more than the ticks since then would have it.
    /// </summary>
    public TimeSpan Since(int tick)
        => timeProvider.GetElapsedTime(Volatile.Read(ref _cameAt[tick & (Remembered - 1)]));
}
