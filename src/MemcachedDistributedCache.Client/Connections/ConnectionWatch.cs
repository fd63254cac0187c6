namespace MemcachedDistributedCache.Connections;

/// <summary>Judges from what a scan sees whether a connection is still worth having. Used by one time-out scanner at a time.</summary>
internal sealed class ConnectionWatch(ConnectionSettings settings)
{
    /// <summary>
    /// A connection is given up when a reply is overdue by a whole limit and none has ended for as long. Bytes alone
    /// are no progress: a server that sends one now and then would hold a value's memory, and all that was asked behind
    /// it, for ever. What takes longer than this to arrive has no caller any more.
    /// </summary>
    private const int StallTicks = 2 * OperationClock.TicksPerTimeout;

    private long _lastAnswered = -1;
    private int _lastAnswerTick;
    private bool _isBehind;
    private TimeSpan _lastUsedAge;

    /// <summary>The judgement.</summary>
    public enum Judgement
    {
        /// <summary>Nothing is wrong.</summary>
        Keep,

        /// <summary>It was not open within the limit.</summary>
        ConnectTimedOut,

        /// <summary>The server has gone silent, or does not come to the end of a reply.</summary>
        Stalled,

        /// <summary>Nobody has used it for the idle limit.</summary>
        Idle,
    }

    /// <summary>Whether, at the last look, an operation was due for longer than its limit. May be read by others.</summary>
    public bool IsBehind => Volatile.Read(ref _isBehind);

    /// <summary>How many bytes had been written when the connection was last seen in use.</summary>
    public long LastAppended { get; private set; } = -1;

    /// <summary>Compares with the last look.</summary>
    public Judgement Look(int now, int? oldestTick, long answered, long appended, bool isOpen, TimeSpan age)
    {
        if (answered != _lastAnswered)
        {
            _lastAnswered = answered;
            _lastAnswerTick = now;
        }

        Volatile.Write(ref _isBehind, now - oldestTick > OperationClock.TicksPerTimeout);

        if (appended != LastAppended || oldestTick is not null)
        {
            LastAppended = appended;
            _lastUsedAge = age;
        }

        if (!isOpen)
        {
            return age >= settings.ConnectTimeout ? Judgement.ConnectTimedOut : Judgement.Keep;
        }

        if (now - oldestTick >= StallTicks && now - _lastAnswerTick >= OperationClock.TicksPerTimeout)
        {
            return Judgement.Stalled;
        }

        bool idle = settings.IdleTimeout != Timeout.InfiniteTimeSpan && age - _lastUsedAge >= settings.IdleTimeout;
        return idle ? Judgement.Idle : Judgement.Keep;
    }
}
