using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// The one timer that looks after all deadlines. When nothing has been awaited for a whole limit it rests: the clock
/// stands, and it looks once a second, for the sake of connections that nobody uses. Whoever awaits something from then
/// on sets it going again.
/// </summary>
internal sealed class TimeoutScanner : IAsyncDisposable, IDisposable
{
    /// <summary>How long it rests at a time.</summary>
    public static readonly TimeSpan SuspendedInterval = TimeSpan.FromSeconds(1);

    /// <summary>After so many looks at which nothing was awaited it rests.</summary>
    private const int LooksBeforeSuspend = OperationClock.TicksPerTimeout;

    private readonly OperationClock _clock;
    private readonly Action _scan;
    private readonly Func<bool> _isQuiet;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private int _scanning;
    private int _quietLooks;

    /// <param name="timeProvider">The clock.</param>
    /// <param name="clock">The clock of the operations, which this one drives.</param>
    /// <param name="scan">Looks after everything; never called twice at a time.</param>
    /// <param name="isQuiet">Whether no deadline is near.</param>
    public TimeoutScanner(TimeProvider timeProvider, OperationClock clock, Action scan, Func<bool> isQuiet)
    {
        _clock = clock;
        _scan = scan;
        _isQuiet = isQuiet;
        clock.Resumed = Resume;
        _timer = timeProvider.CreateTimer(static state => ((TimeoutScanner)state!).Scan(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(clock.Interval, clock.Interval);
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private void Scan()
    {
        // Timer callbacks may overlap when the machine is busy; the watches want one at a time.
        if (Interlocked.Exchange(ref _scanning, 1) != 0)
        {
            return;
        }

        try
        {
            if (!_clock.IsSuspended)
            {
                _clock.Advance();
            }

            _scan();
            lock (_lock)
            {
                _quietLooks = _isQuiet() ? _quietLooks + 1 : 0;
                if (_quietLooks == 0)
                {
                    Resume();
                }
                else if (_quietLooks >= LooksBeforeSuspend && !_clock.IsSuspended && SuspendedInterval > _clock.Interval)
                {
                    Suspend_NeedsLock();
                }
            }
        }
        finally
        {
            Volatile.Write(ref _scanning, 0);
        }
    }

    private void Suspend_NeedsLock()
    {
        _clock.Suspend();

        // Whoever has begun to await something by now is seen here; whoever does from now on sees that the clock rests.
        // So that they need no barrier of their own, the one here is for all threads of the process.
        Interlocked.MemoryBarrierProcessWide();
        if (_isQuiet())
        {
            _timer.Change(SuspendedInterval, SuspendedInterval);
        }
        else
        {
            _clock.Resume();
        }
    }

    private void Resume()
    {
        lock (_lock)
        {
            if (_clock.IsSuspended)
            {
                _clock.Resume();
                _quietLooks = 0;
                _timer.Change(_clock.Interval, _clock.Interval);
            }
        }
    }
}
