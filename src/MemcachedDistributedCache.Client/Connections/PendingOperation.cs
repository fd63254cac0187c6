using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using MemcachedDistributedCache.Protocol.Classic;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// One request on its way. It has two owners, the caller and the connection, and goes back to the pool when both have let go: a caller
/// that timed out leaves the operation in its slot of the queue, where the late reply finds it, is read, and is dropped.
/// <para>
/// The result is set by whoever claims the operation first: the reply, the deadline, the caller's cancellation, or the connection's
/// end. The claim carries the operation's version, so one who holds a stale reference claims nothing.
/// </para>
/// </summary>
internal sealed class PendingOperation : IValueTaskSource<OperationResult>
{
    private const int PoolLimit = 4096;

    /// <summary>From this many replies awaited on a connection on, blocked callers let each other go first before they sleep.</summary>
    private const int CrowdLength = 4;

    /// <summary>How often one does.</summary>
    private const int TurnsInCrowd = 10;

    private static readonly ConcurrentQueue<PendingOperation> Pool = new();
    private static int _pooled;

    [ThreadStatic]
    private static PendingOperation? _ofThisThread;

    private readonly object _gate = new();
    private ManualResetValueTaskSourceCore<OperationResult> _source = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _registration;
    private OperationResult _syncResult;
    private long _claim; // version * 2, + 1 once claimed
    private PendingQueue? _queue;
    private RequestTiming _timing;
    private byte[]? _changedKey;
    private byte[]? _expectedKey;
    private int _changedKeyLength;
    private int _expectedKeyLength;
    private int _owners;
    private int _startedAt;
    private CallMode _mode;
    private bool _syncDone;

    private PendingOperation()
    {
    }

    /// <summary>The result of a scan.</summary>
    public enum Expiry
    {
        /// <summary>Its time has not come.</summary>
        NotDue,

        /// <summary>It has its result already and waits for its reply to be drained.</summary>
        AlreadyClaimed,

        /// <summary>It was timed out now.</summary>
        TimedOut,
    }

    /// <summary>The kind of the request.</summary>
    public OperationKind Kind { get; private set; }

    /// <summary>Where a value goes.</summary>
    public ValueTarget Target { get; private set; }

    /// <summary>Which request it is; see <see cref="RequestSequence"/>.</summary>
    public long Sequence { get; set; }

    /// <summary>The token that the reply must carry.</summary>
    public uint Opaque => (uint)Sequence;

    /// <summary>
    /// The key that the request changes, empty where it changes none; kept in case that the connection takes the answer
    /// with it.
    /// </summary>
    public ReadOnlySpan<byte> ChangedKey
    {
        get => _changedKey.AsSpan(0, _changedKeyLength);
        set
        {
            _changedKeyLength = value.Length;
            if (value.Length != 0)
            {
                value.CopyTo(_changedKey ??= new byte[Protocol.MetaRequests.MaximumKeyLength]);
            }
        }
    }

    /// <summary>The key that an item in a classic reply must have.</summary>
    public ReadOnlySpan<byte> ExpectedKey => _expectedKey.AsSpan(0, _expectedKeyLength);

    /// <summary>Of what a classic reply consists.</summary>
    public ClassicParts ExpectedParts { get; private set; }

    /// <summary>The client flags of the item that a classic request stores.</summary>
    public uint OwnFlags { get; private set; }

    /// <summary>The length of that item's data.</summary>
    public int OwnLength { get; private set; }

    /// <summary>It changes what its key holds; a lease only takes the place of nothing.</summary>
    public bool IsChange => _changedKeyLength != 0 && Kind != OperationKind.Lease;

    /// <summary>The newest uncertain write of the node when a change began; see <see cref="IConnectionOwner.Settle"/>.</summary>
    public long BegunAt { get; set; }

    /// <summary>The hash under which the length of the value is noted; see <see cref="IRequest.ReadHash"/>.</summary>
    public uint ReadHash { get; set; }

    /// <summary>The tick at which it began.</summary>
    public int StartedAt => Volatile.Read(ref _startedAt);

    /// <summary>Where the request begins in the stream of all bytes written on its connection.</summary>
    public long Position { get; set; }

    /// <summary>How the request is timed, if somebody listens. Set and ended by the caller's side, before it lets go.</summary>
    public RequestTiming Timing
    {
        set => _timing = value;
    }

    /// <summary>Somebody else has given the caller a result, so that the reply's value is not needed.</summary>
    public bool IsClaimed => (Volatile.Read(ref _claim) & 1) != 0;

    /// <summary>Takes an operation for a caller and a connection.</summary>
    public static PendingOperation Rent(PendingQueue queue, OperationKind kind, ValueTarget target, CallMode mode, int startedAt)
    {
        PendingOperation? operation = _ofThisThread;
        if (operation is not null)
        {
            _ofThisThread = null;
        }
        else if (Pool.TryDequeue(out operation))
        {
            Interlocked.Decrement(ref _pooled);
        }
        else
        {
            operation = new PendingOperation();
        }

        operation.Kind = kind;
        operation.Target = target;
        operation._mode = mode;
        operation._syncDone = false;
        operation._owners = 2;
        operation._startedAt = startedAt;
        operation._queue = queue;

        // Last, so that a time-out scanner with a stale reference that sees the new version sees its start as well.
        Volatile.Write(ref operation._claim, (operation._claim | 1) + 1);
        return operation;
    }

    /// <summary>Gives an operation back that never got into a queue.</summary>
    public void Discard()
    {
        TryComplete(default);
        Release();
        Release();
    }

    /// <summary>Notes what a classic reply is held against. A reply to a meta command needs none of that, and has none.</summary>
    public void Expect(in ClassicExpectation expectation)
    {
        ExpectedParts = expectation.Parts;
        OwnFlags = expectation.OwnFlags;
        OwnLength = expectation.OwnLength;
        _expectedKeyLength = expectation.Key.Length;
        expectation.Key.CopyTo(_expectedKey ??= new byte[Protocol.MetaRequests.MaximumKeyLength]);
    }

    /// <summary>The caller's side of an asynchronous operation; the token may claim it from here on.</summary>
    public ValueTask<OperationResult> AsValueTask(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            _registration = cancellationToken.UnsafeRegister(
                static state => ((PendingOperation)state!).TryComplete(OperationResult.Of(ResultStatus.Canceled)),
                this);
        }

        return new ValueTask<OperationResult>(this, _source.Version);
    }

    /// <summary>The caller's side of a synchronous operation: blocks until there is a result, at the latest after the limit.</summary>
    public OperationResult Wait(TimeSpan limit, OperationResult timedOut, out bool expired)
    {
        YieldWhileOthersWait();
        bool done;
        lock (_gate)
        {
            done = _syncDone || Monitor.Wait(_gate, limit);
        }

        expired = !done && TryComplete(timedOut);
        if (!done && !expired)
        {
            // Somebody claimed it at the last moment and is about to set the result.
            lock (_gate)
            {
                while (!_syncDone)
                {
                    Monitor.Wait(_gate);
                }
            }
        }

        OperationResult result = _syncResult;
        if (_timing.Node is not null)
        {
            EndTiming(result);
        }

        Release();
        return result;
    }

    /// <summary>Sets the result, if nobody has. For an owner, and for a cancellation that the caller's side waits out.</summary>
    public bool TryComplete(in OperationResult result)
    {
        long claim = Volatile.Read(ref _claim);
        if ((claim & 1) != 0 || Interlocked.CompareExchange(ref _claim, claim + 1, claim) != claim)
        {
            return false;
        }

        SetResult(result);
        return true;
    }

    /// <summary>Times the operation out if its limit has passed. For the time-out scanner, whose reference may be stale.</summary>
    /// <param name="queue">The connection's queue.</param>
    /// <param name="now">The tick.</param>
    /// <param name="timedOut">The result.</param>
    /// <param name="timingOut">Called for a change before its caller has the result.</param>
    /// <param name="startedAt">The tick at which the operation began.</param>
    public Expiry TryExpire(PendingQueue queue, int now, in OperationResult timedOut, Action<PendingOperation>? timingOut, out int startedAt)
    {
        long claim = Volatile.Read(ref _claim);
        startedAt = Volatile.Read(ref _startedAt);
        if (Volatile.Read(ref _queue) != queue)
        {
            // Its next life is another connection's, which may be of another cache with another clock.
            return Expiry.AlreadyClaimed;
        }

        if (now - startedAt < OperationClock.TicksPerTimeout)
        {
            return Expiry.NotDue;
        }

        if ((claim & 1) != 0 || Interlocked.CompareExchange(ref _claim, claim + 1, claim) != claim)
        {
            return Expiry.AlreadyClaimed;
        }

        // The caller may wake, and the reply may come, while SetResult is still on its way out of the completion source. Without an
        // ownership of its own the time-out scanner could then end up signalling the operation's next life.
        Interlocked.Increment(ref _owners);
        if (IsChange)
        {
            timingOut?.Invoke(this);
        }

        SetResult(timedOut);
        Release();
        return Expiry.TimedOut;
    }

    /// <summary>Lets go for one owner; the last one's call puts the operation back into the pool.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _owners) != 0)
        {
            return;
        }

        _source.Reset();
        _syncResult = default;
        if (_ofThisThread is null)
        {
            _ofThisThread = this;
        }
        else if (Volatile.Read(ref _pooled) < PoolLimit)
        {
            Interlocked.Increment(ref _pooled);
            Pool.Enqueue(this);
        }
    }

    OperationResult IValueTaskSource<OperationResult>.GetResult(short token)
    {
        OperationResult result = _source.GetResult(token);

        // Waits for a cancellation callback that is under way, so it cannot meet the operation's next life.
        _registration.Dispose();
        _registration = default;
        if (_timing.Node is not null)
        {
            EndTiming(result);
        }

        Release();
        return result;
    }

    ValueTaskSourceStatus IValueTaskSource<OperationResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<OperationResult>.OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags)
        => _source.OnCompleted(continuation, state, token, flags);

    /// <summary>
    /// Where many block at once, the processor goes round among them for a while before one sleeps: by the time that it
    /// is a caller's turn again its reply has mostly come, and a sleep and a wake-up, several times as dear as the
    /// request, are saved. A caller who is nearly alone sleeps at once.
    /// </summary>
    private void YieldWhileOthersWait()
    {
        if (_queue!.Count < CrowdLength)
        {
            return;
        }

        for (int turn = 0; turn < TurnsInCrowd && !Volatile.Read(ref _syncDone); turn++)
        {
            Thread.Yield();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EndTiming(in OperationResult result)
    {
        RequestTiming timing = _timing;
        _timing = default;
        timing.Node!.End(timing, (int)Kind, OutcomeNames.Of(result));
    }

    private void SetResult(in OperationResult result)
    {
        if (_mode == CallMode.Async)
        {
            _source.SetResult(result);
            return;
        }

        lock (_gate)
        {
            _syncResult = result;
            Volatile.Write(ref _syncDone, true);
            Monitor.PulseAll(_gate);
        }
    }
}
