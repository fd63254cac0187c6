namespace MemcachedDistributedCache.Connections;

/// <summary>
/// A coarse clock for deadlines: an operation notes one integer and reads no clock. A deadline falls between 14/16 and the whole of
/// the operation's limit, and one timer serves every connection of a cluster. Ticks wrap around; only differences count.
/// </summary>
internal sealed class OperationClock(TimeProvider timeProvider, TimeSpan attemptTimeout)
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
    private bool _isSuspended;

    /// <summary>The length of a tick, at least a millisecond.</summary>
    public TimeSpan Interval { get; } = TimeSpan.FromMilliseconds(Math.Max(1, attemptTimeout.TotalMilliseconds / TicksPerTimeout));

    /// <summary>The current tick.</summary>
    public int Now => Volatile.Read(ref _now);

    /// <summary>The limit of one operation.</summary>
    public TimeSpan AttemptTimeout => attemptTimeout;

    /// <summary>It stands, because nothing is awaited.</summary>
    public bool IsSuspended => Volatile.Read(ref _isSuspended);

    /// <summary>Called when something is awaited while the clock stands; may be called by several threads at once.</summary>
    public Action? Resumed { get; set; }

    /// <summary>Something is awaited: to be called once that can be seen by whoever looks whether the clock may rest.</summary>
    public void EnsureRunning()
    {
        if (Volatile.Read(ref _isSuspended))
        {
            Resumed!();
        }
    }

    /// <summary>Stands still; under the lock of the one who drives it, as <see cref="Resume"/>.</summary>
    public void Suspend() => Volatile.Write(ref _isSuspended, true);

    /// <summary>
    /// Goes on from the tick at which it stood. All that began at that tick or before counts from now: none of it was
    /// awaited while it stood.
    /// </summary>
    public void Resume()
    {
        _last = timeProvider.GetTimestamp();
        for (int i = 0; i < Remembered; i++)
        {
            Volatile.Write(ref _cameAt[i], _last);
        }

        Volatile.Write(ref _isSuspended, false);
    }

    /// <summary>Reads the time; called by one timer, while the clock does not rest.</summary>
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
    /// How long ago a tick of the last two limits came. On a machine too busy to keep the pace that is more than the
    /// ticks since then would have it.
    /// </summary>
    public TimeSpan Since(int tick)
        => timeProvider.GetElapsedTime(Volatile.Read(ref _cameAt[tick & (Remembered - 1)]));
}
