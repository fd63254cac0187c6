namespace MemcachedDistributedCache.Connections;

/// <summary>
/// A coarse clock for deadlines: an operation notes one integer and reads no clock. A deadline falls between 15/16 and the whole of
/// the operation's limit, and one timer serves every connection of a cluster.
/// </summary>
internal sealed class OperationClock(TimeProvider timeProvider, TimeSpan operationTimeout)
{
    /// <summary>The ticks of one operation limit.</summary>
    public const int TicksPerTimeout = 16;

    private readonly long _start = timeProvider.GetTimestamp();
    private int _now;

    /// <summary>The length of a tick, at least a millisecond.</summary>
    public TimeSpan Interval { get; } = TimeSpan.FromMilliseconds(Math.Max(1, operationTimeout.TotalMilliseconds / TicksPerTimeout));

    /// <summary>The current tick.</summary>
    public int Now => Volatile.Read(ref _now);

    /// <summary>The limit of one operation.</summary>
    public TimeSpan OperationTimeout => operationTimeout;

    /// <summary>Reads the time; a timer that came late makes the ticks it missed go by at once.</summary>
    public void Advance() => Volatile.Write(ref _now, (int)(timeProvider.GetElapsedTime(_start) / Interval));
}
