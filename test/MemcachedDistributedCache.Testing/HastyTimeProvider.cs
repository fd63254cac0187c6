namespace MemcachedDistributedCache.Testing;

/// <summary>
/// A clock that runs faster than the machine's, for tests that wait for pauses of a cache while real servers answer:
/// with a limit that is longer by as much, what is asked of them has the time that it had.
/// </summary>
public sealed class HastyTimeProvider(int factor) : TimeProvider
{
    private readonly long _start = System.GetTimestamp();
    private readonly DateTimeOffset _startedAt = System.GetUtcNow();

    /// <inheritdoc/>
    public override long TimestampFrequency => System.TimestampFrequency;

    /// <inheritdoc/>
    public override long GetTimestamp() => _start + ((System.GetTimestamp() - _start) * factor);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _startedAt + GetElapsedTime(_start);

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        => new HastyTimer(System.CreateTimer(callback, state, Shorter(dueTime), Shorter(period)), this);

    private TimeSpan Shorter(TimeSpan span) => span == Timeout.InfiniteTimeSpan ? span : span / factor;

    private sealed class HastyTimer(ITimer timer, HastyTimeProvider clock) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(clock.Shorter(dueTime), clock.Shorter(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
