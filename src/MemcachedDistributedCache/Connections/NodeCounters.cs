namespace MemcachedDistributedCache.Connections;

/// <summary>What this process has seen of one server, over all its connections.</summary>
/// <param name="server">The server's address as configured.</param>
/// <param name="retryAfter">How long until a server that is down is tried again.</param>
internal sealed class NodeCounters(string server, Func<TimeSpan?>? retryAfter = null)
{
    private long _hits;
    private long _misses;
    private long _errors;
    private long _timeouts;
    private long _lost;
    private long _retries;
    private long _standInHits;
    private long _suspected;
    private long _replayed;

    /// <summary>The server's address as configured.</summary>
    public string Server { get; } = server;

    /// <summary>Reads that found a value.</summary>
    public long Hits => Volatile.Read(ref _hits);

    /// <summary>Reads that found none.</summary>
    public long Misses => Volatile.Read(ref _misses);

    /// <summary>Operations without an answer to rely on, time-outs among them.</summary>
    public long Errors => Volatile.Read(ref _errors);

    /// <summary>Operations that got no answer within the limit.</summary>
    public long Timeouts => Volatile.Read(ref _timeouts);

    /// <summary>Attempts that were made again because one on this server had failed.</summary>
    public long Retries => Volatile.Read(ref _retries);

    /// <summary>Reads that found a value here in the place of a node that was down.</summary>
    public long StandInHits => Volatile.Read(ref _standInHits);

    /// <summary>Operations that were sent and not answered, in time or at all.</summary>
    public long Failures => Timeouts + Volatile.Read(ref _lost);

    /// <summary>How long until the server is tried again; null while it is not down.</summary>
    public TimeSpan? RetryAfter => retryAfter?.Invoke();

    /// <summary>Writes whose outcome was lost, so that their keys were put under suspicion.</summary>
    public long Suspected => Volatile.Read(ref _suspected);

    /// <summary>Suspicions that ended with the key's removal.</summary>
    public long Replayed => Volatile.Read(ref _replayed);

    /// <summary>The failure of a store that the server had no memory for.</summary>
    public OperationFailure OutOfMemory => field ??= new(MemcachedFailureReason.ServerOutOfMemory, this, WasSent: true);

    /// <summary>The failure of an operation while the server is not reachable.</summary>
    public OperationFailure Unavailable => field ??= new(MemcachedFailureReason.Unavailable, this, WasSent: false) { IsRefusal = true };

    /// <summary>The failure of an operation for which there is no room.</summary>
    public OperationFailure Overloaded => field ??= new(MemcachedFailureReason.Overloaded, this, WasSent: false);

    /// <summary>The failure of an operation whose reply did not come in time.</summary>
    public OperationFailure TimedOut => field ??= new(MemcachedFailureReason.TimedOut, this, WasSent: true);

    /// <summary>Counts a read that found a value; before its caller hears of it, so that whoever has a value finds it counted.</summary>
    public void AddHit() => Interlocked.Increment(ref _hits);

    /// <summary>Counts a read that found none.</summary>
    public void AddMiss() => Interlocked.Increment(ref _misses);

    /// <summary>Counts an attempt that is made again.</summary>
    public void AddRetry() => Interlocked.Increment(ref _retries);

    /// <summary>Counts a read that found a value for another node.</summary>
    public void AddStandInHit() => Interlocked.Increment(ref _standInHits);

    /// <summary>Counts a key put under suspicion.</summary>
    public void AddSuspect() => Interlocked.Increment(ref _suspected);

    /// <summary>Counts suspicions that ended.</summary>
    public void AddReplayed(int count) => Interlocked.Add(ref _replayed, count);

    /// <summary>Counts operations that failed.</summary>
    public void AddErrors(int count) => Interlocked.Add(ref _errors, count);

    /// <summary>Counts operations that ended with their connection, which are errors too.</summary>
    public void AddLost(int count)
    {
        Interlocked.Add(ref _lost, count);
        AddErrors(count);
    }

    /// <summary>Counts operations that timed out, which are errors too.</summary>
    public void AddTimeouts(int count)
    {
        Interlocked.Add(ref _timeouts, count);
        AddErrors(count);
    }
}
