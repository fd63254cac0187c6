using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Telemetry;

/// <summary>
/// The counts of one server, over all connections of this process. Metrics are read from here when somebody collects them.
/// </summary>
/// <param name="server">The server's address as configured.</param>
/// <param name="telemetry">Times its requests; by default nothing does.</param>
/// <param name="retryAfter">How long until a server that is down is tried again.</param>
internal sealed class NodeCounters(string server, NodeTelemetry? telemetry = null, Func<TimeSpan?>? retryAfter = null) : IFailedNode
{
    private static readonly NodeTelemetry Silent = CacheTelemetry.Silent.OfNode("", 0, OperationNames.All);

    private readonly long[] _errorsByReason = new long[Enum.GetValues<MemcachedFailureReason>().Length];
    private readonly long[] _endsByReason = new long[Enum.GetValues<ConnectionEndReason>().Length];
    private readonly long[] _changesByState = new long[Enum.GetValues<MemcachedNodeState>().Length];
    private OperationFailure? _unavailable;
    private long _hits;
    private long _misses;
    private long _errors;
    private long _timeouts;
    private long _gutterHits;
    private long _uncertainRecorded;
    private long _replayed;
    private long _oversized;
    private long _sentBytes;
    private long _receivedBytes;
    private long _retries;
    private long _opened;
    private long _closed;

    /// <summary>The server's address as configured.</summary>
    public string Server { get; } = server;

    /// <summary>Times the server's requests.</summary>
    public NodeTelemetry Telemetry { get; } = telemetry ?? Silent;

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
    public long GutterHits => Volatile.Read(ref _gutterHits);

    /// <summary>Operations that were sent and not answered, in time or at all.</summary>
    public long Failures => Timeouts + ErrorsBy(MemcachedFailureReason.ConnectionLost);

    /// <summary>How long until the server is tried again; null while it is not down.</summary>
    public TimeSpan? RetryAfter => retryAfter?.Invoke();

    /// <summary>Writes whose outcome was lost, so that their keys were recorded as uncertain.</summary>
    public long UncertainRecorded => Volatile.Read(ref _uncertainRecorded);

    /// <summary>Uncertain writes that ended with the key's removal.</summary>
    public long Replayed => Volatile.Read(ref _replayed);

    /// <summary>Values that were not stored because of their size.</summary>
    public long Oversized => Volatile.Read(ref _oversized);

    /// <summary>Bytes of requests that were sent.</summary>
    public long SentBytes => Volatile.Read(ref _sentBytes);

    /// <summary>Bytes of replies that were received.</summary>
    public long ReceivedBytes => Volatile.Read(ref _receivedBytes);

    /// <summary>Connections that were opened.</summary>
    public long Opened => Volatile.Read(ref _opened);

    /// <summary>Connections that are open.</summary>
    public long Open => Math.Max(0, Opened - Volatile.Read(ref _closed));

    /// <summary>The failure of a store that the server had no memory for.</summary>
    public OperationFailure OutOfMemory => field ??= new(MemcachedFailureReason.ServerOutOfMemory, this, WasSent: true);

    /// <summary>The failure of an operation that the server answered with an error line.</summary>
    public OperationFailure ServerError(string line) => new(MemcachedFailureReason.ServerError, this, WasSent: true) { Detail = line };

    /// <summary>The failure of an operation while the server is not reachable.</summary>
    public OperationFailure Unavailable => Volatile.Read(ref _unavailable) ?? NoteOutage(null);

    /// <summary>The failure of an operation for which there is no room.</summary>
    public OperationFailure Overloaded => field ??= new(MemcachedFailureReason.Overloaded, this, WasSent: false);

    /// <summary>The failure of an operation whose reply did not come in time.</summary>
    public OperationFailure TimedOut => field ??= new(MemcachedFailureReason.TimedOut, this, WasSent: true);

    /// <summary>Notes why the server cannot be used, for those who are refused because of it; null where it can.</summary>
    public OperationFailure NoteOutage(string? reason)
    {
        var failure = new OperationFailure(MemcachedFailureReason.Unavailable, this, WasSent: false) { IsRefusal = true, Detail = reason };
        Volatile.Write(ref _unavailable, failure);
        return failure;
    }

    /// <summary>Counts a read that found a value; before its caller hears of it, so that whoever has a value finds it counted.</summary>
    public void AddHit() => Interlocked.Increment(ref _hits);

    /// <summary>Counts a read that found none.</summary>
    public void AddMiss() => Interlocked.Increment(ref _misses);

    /// <summary>Counts an attempt that is made again.</summary>
    public void AddRetry() => Interlocked.Increment(ref _retries);

    /// <summary>Counts a read that found a value for another node.</summary>
    public void AddGutterHit() => Interlocked.Increment(ref _gutterHits);

    /// <summary>Counts a key recorded as uncertain.</summary>
    public void AddUncertain() => Interlocked.Increment(ref _uncertainRecorded);

    /// <summary>Counts uncertain writes that ended.</summary>
    public void AddReplayed(int count) => Interlocked.Add(ref _replayed, count);

    /// <summary>Counts a value that was not stored because of its size.</summary>
    public void AddOversized() => Interlocked.Increment(ref _oversized);

    /// <summary>Counts bytes that were sent.</summary>
    public void AddSent(int count) => Interlocked.Add(ref _sentBytes, count);

    /// <summary>Counts bytes that were received.</summary>
    public void AddReceived(int count) => Interlocked.Add(ref _receivedBytes, count);

    /// <summary>Counts a connection that was opened.</summary>
    public void AddOpened() => Interlocked.Increment(ref _opened);

    /// <summary>Counts a connection that ended, or could not be opened.</summary>
    public void AddEnd(ConnectionEndReason reason, bool wasOpen)
    {
        Interlocked.Increment(ref _endsByReason[(int)reason]);
        Interlocked.Add(ref _closed, wasOpen ? 1 : 0);
    }

    /// <summary>Connections that ended, or could not be opened, for a reason.</summary>
    public long Ends(ConnectionEndReason reason) => Volatile.Read(ref _endsByReason[(int)reason]);

    /// <summary>Counts a change of the node's state.</summary>
    public void NodeStateChanged(MemcachedNodeState to) => Interlocked.Increment(ref _changesByState[(int)to]);

    /// <summary>Changes of the node's state into one.</summary>
    public long StateChanges(MemcachedNodeState to) => Volatile.Read(ref _changesByState[(int)to]);

    /// <summary>Counts operations that failed.</summary>
    public void AddErrors(int count, MemcachedFailureReason reason = MemcachedFailureReason.Unavailable)
    {
        Interlocked.Add(ref _errors, count);
        Interlocked.Add(ref _errorsByReason[(int)reason], count);
    }

    /// <summary>Operations that failed for a reason.</summary>
    public long ErrorsBy(MemcachedFailureReason reason) => Volatile.Read(ref _errorsByReason[(int)reason]);

    /// <summary>Counts operations that timed out, which are errors too.</summary>
    public void AddTimeouts(int count)
    {
        Interlocked.Add(ref _timeouts, count);
        AddErrors(count, MemcachedFailureReason.TimedOut);
    }
}
