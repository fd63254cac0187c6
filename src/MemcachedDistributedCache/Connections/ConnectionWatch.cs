namespace MemcachedDistributedCache.Connections;

/// <summary>Judges from what a sweep sees whether a connection is still worth having. Used by one sweeper at a time.</summary>
internal sealed class ConnectionWatch(ConnectionSettings settings)
{
    /// <summary>A connection is given up when a reply is overdue by a whole limit and nothing has come for as long.</summary>
    private const int StallTicks = 2 * OperationClock.TicksPerTimeout;

    private long _lastReceives = -1;
    private int _lastReceiveTick;
    private TimeSpan _lastUsedAge;

    /// <summary>The judgement.</summary>
    public enum Verdict
    {
        /// <summary>Nothing is wrong.</summary>
        Keep,

        /// <summary>It was not open within the limit.</summary>
        ConnectTimedOut,

        /// <summary>The server has gone silent.</summary>
        Stalled,

        /// <summary>Nobody has used it for the idle limit.</summary>
        Idle,
    }

    /// <summary>How many bytes had been written when the connection was last seen in use.</summary>
    public long LastAppended { get; private set; } = -1;

    /// <summary>Compares with the last look.</summary>
    public Verdict Look(int now, int? oldestTick, long receives, long appended, bool isOpen, TimeSpan age)
    {
        if (receives != _lastReceives)
        {
            _lastReceives = receives;
            _lastReceiveTick = now;
        }

        if (appended != LastAppended || oldestTick is not null)
        {
            LastAppended = appended;
            _lastUsedAge = age;
        }

        if (!isOpen)
        {
            return age >= settings.ConnectTimeout ? Verdict.ConnectTimedOut : Verdict.Keep;
        }

        if (now - oldestTick >= StallTicks && now - _lastReceiveTick >= OperationClock.TicksPerTimeout)
        {
            return Verdict.Stalled;
        }

        bool idle = settings.IdleTimeout != Timeout.InfiniteTimeSpan && age - _lastUsedAge >= settings.IdleTimeout;
        return idle ? Verdict.Idle : Verdict.Keep;
    }
}
