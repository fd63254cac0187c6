using System.Buffers;
using MemcachedDistributedCache.Protocol.Classic;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// The sending half of a connection: encodes requests in the order of the pending queue, both under one lock, and gathers what
/// comes while a send is under way into the next one. It never sends by itself; it says who has to.
/// </summary>
/// <param name="pending">The operations whose replies come, in order.</param>
/// <param name="maximumPending">How many of them there may be.</param>
/// <param name="maximumBuffered">How many bytes may wait to be sent.</param>
/// <param name="protocol">
/// The commands that the server is asked by; <see cref="MemcachedProtocol.Auto"/> until <see cref="Decide"/> says.
/// </param>
/// <param name="mode">How callers wait. Requests of those who block until they are answered never gather under a <see cref="Cork"/>.</param>
internal sealed class RequestWriter(
    PendingQueue pending,
    int maximumPending,
    long maximumBuffered,
    MemcachedProtocol protocol = MemcachedProtocol.Meta,
    CallMode mode = CallMode.Async)
{
    /// <summary>A request from this length on is encoded outside the lock, in an array of its own.</summary>
    private const int LargeRequest = 16 * 1024;

    private readonly Lock _lock = new();
    private SendBuffer _gathering = new();
    private SendBuffer _sending = new();

    // The same requests by classic commands, while nobody knows which will do.
    private SendBuffer? _gatheringClassic = protocol == MemcachedProtocol.Auto ? new() : null;
    private volatile MemcachedProtocol _protocol = protocol;
    private int _sendingLength;
    private int _gathered; // requests in _gathering
    private int _lastGathered; // requests in the send before
    private long _appended;
    private long _handedOver;
    private long _count; // of requests
    private ConnectionEnd? _end;

    // Has the turn to send and lets requests gather; whoever else asks takes it away.
    private Cork? _cork;

    // Set from the start: until the connection is open, what opens it is the sender.
    private bool _hasSender = true;

    /// <summary>The outcome of a request.</summary>
    public enum Outcome
    {
        /// <summary>Somebody else sends it.</summary>
        Enqueued,

        /// <summary>The caller has to send, and nothing else is awaited.</summary>
        SendNow,

        /// <summary>The caller has to see that it is sent, and others are busy on this connection too.</summary>
        SendSoon,

        /// <summary>The caller's <see cref="Cork"/> has the turn, and has to be told of the connection.</summary>
        Corked,

        /// <summary>The queue or the buffer is full.</summary>
        Overloaded,

        /// <summary>The connection has ended; nothing was sent.</summary>
        Closed,
    }

    /// <summary>Names the connection; see <see cref="Vocabulary.SettlingConnection"/>.</summary>
    public long Connection { get; } = RequestSequence.NextConnection();

    /// <summary>Nothing more is taken.</summary>
    public bool IsClosed => Volatile.Read(ref _end) is not null;

    /// <summary>Why nothing more is taken.</summary>
    public ConnectionEnd? End => Volatile.Read(ref _end);

    /// <summary>How many bytes have been taken since the start; it moves while the connection is in use.</summary>
    public long Appended => Volatile.Read(ref _appended);

    /// <summary>Encodes a request and enqueues its operation.</summary>
    public Outcome Enqueue<TRequest>(scoped in TRequest request, PendingOperation operation)
        where TRequest : struct, IRequest, allows ref struct
    {
        int room = request.MaximumLength;
        if (room >= LargeRequest && _protocol != MemcachedProtocol.Auto)
        {
            return EnqueueLarge(request, operation, room);
        }

        lock (_lock)
        {
            if (Refusal_NeedsLock(room) is { } refusal)
            {
                return refusal;
            }

            long sequence = RequestSequence.FirstOf(Connection) + ++_count;
            int length;
            if (_protocol == MemcachedProtocol.Meta)
            {
                length = request.Write(_gathering.GetSpan(room), (uint)sequence);
                _gathering.Advance(length);
            }
            else
            {
                length = WriteClassic_NeedsLock(request, operation, (uint)sequence, room);
            }

            return Append_NeedsLock(operation, sequence, length);
        }
    }

    /// <summary>
    /// The server has told which commands it takes, before anything was sent. What was asked meanwhile is there in
    /// both dialects: a request is encoded when it is asked, for the memory that it is made of is the caller's.
    /// </summary>
    public void Decide(bool isClassic)
    {
        lock (_lock)
        {
            if (_gatheringClassic is not { } classic)
            {
                return;
            }

            _gatheringClassic = null;
            (_gathering, SendBuffer other) = isClassic ? (classic, _gathering) : (_gathering, classic);
            other.Clear();
            _protocol = isClassic ? MemcachedProtocol.Classic : MemcachedProtocol.Meta;
        }
    }

    /// <summary>Takes all that was gathered for the sender, or ends the sender's turn and returns null.</summary>
    public SendBuffer? TakeForSending()
    {
        lock (_lock)
        {
            _sendingLength = 0;
            if (_end is not null || _gathering.Length == 0)
            {
                _hasSender = false;
                return null;
            }

            (_gathering, _sending) = (_sending, _gathering);
            _sendingLength = _sending.Length;
            _lastGathered = _gathered;
            _gathered = 0;
            Volatile.Write(ref _handedOver, _appended);
            return _sending;
        }
    }

    /// <summary>Ends the sender's turn if nothing has been gathered meanwhile.</summary>
    public bool EndTurnIfEmpty()
    {
        lock (_lock)
        {
            _sendingLength = 0;
            _hasSender = _end is null && _gathering.Length != 0;
            return !_hasSender;
        }
    }

    /// <summary>The cork is pulled: true if it still has the turn, which is the caller's then.</summary>
    public bool TryUncork(Cork cork)
    {
        lock (_lock)
        {
            bool isHeld = _cork == cork;
            _cork = isHeld ? null : _cork;
            return isHeld;
        }
    }

    /// <summary>A cork that nobody has pulled in time has the turn, which is the caller's then.</summary>
    public bool TryUncorkOld() => Volatile.Read(ref _cork) is { IsTooOld: true } cork && TryUncork(cork);

    /// <summary>Any byte of the request at this position may be on its way.</summary>
    public bool WasSent(long position) => position < Volatile.Read(ref _handedOver);

    /// <summary>Takes nothing more; false if it was closed before, and the first cause stays.</summary>
    public bool Close(ConnectionEnd end)
    {
        lock (_lock)
        {
            bool first = _end is null;
            _end ??= end;
            return first;
        }
    }

    /// <summary>Closes, if nothing is awaited or waits to be sent and nothing was since <paramref name="appended"/>.</summary>
    public bool CloseIfIdle(long appended, ConnectionEnd end)
    {
        lock (_lock)
        {
            if (_end is not null || _hasSender || pending.Count != 0 || _appended != appended)
            {
                return false;
            }

            _end = end;
            return true;
        }
    }

    /// <summary>Gives back what was gathered and will not be sent.</summary>
    public void Discard()
    {
        lock (_lock)
        {
            _gathering.Clear();
            _gatheringClassic?.Clear();
        }
    }

    private int WriteClassic_NeedsLock<TRequest>(scoped in TRequest request, PendingOperation operation, uint opaque, int room)
        where TRequest : struct, IRequest, allows ref struct
    {
        operation.Expect(request.Expectation);
        if (_gatheringClassic is not { } classic)
        {
            int length = request.WriteClassic(_gathering.GetSpan(room + ClassicRequests.AdditionalLength));
            _gathering.Advance(length);
            return length;
        }

        // Neither counts before both are written: the memory behind a request may be a caller's own code, which throws.
        int classicLength = request.WriteClassic(classic.GetSpan(room + ClassicRequests.AdditionalLength));
        int metaLength = request.Write(_gathering.GetSpan(room), opaque);
        classic.Advance(classicLength);
        _gathering.Advance(metaLength);
        return metaLength;
    }

    private Outcome EnqueueLarge<TRequest>(scoped in TRequest request, PendingOperation operation, int room)
        where TRequest : struct, IRequest, allows ref struct
    {
        long sequence;
        lock (_lock)
        {
            // Asked before the copy, so that an overloaded connection costs no memory at all.
            if (Refusal_NeedsLock(room) is { } early)
            {
                return early;
            }

            sequence = RequestSequence.FirstOf(Connection) + ++_count;
        }

        bool isClassic = _protocol == MemcachedProtocol.Classic;
        byte[] array = ArrayPool<byte>.Shared.Rent(isClassic ? room + ClassicRequests.AdditionalLength : room);
        int length;
        try
        {
            if (isClassic)
            {
                operation.Expect(request.Expectation);
            }

            length = isClassic ? request.WriteClassic(array) : request.Write(array, (uint)sequence);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(array);
            throw;
        }

        lock (_lock)
        {
            if (Refusal_NeedsLock(length) is { } refusal)
            {
                ArrayPool<byte>.Shared.Return(array);
                return refusal;
            }

            _gathering.AddRented(array, length);
            return Append_NeedsLock(operation, sequence, length);
        }
    }

    private Outcome? Refusal_NeedsLock(int length)
    {
        if (_end is not null)
        {
            return Outcome.Closed;
        }

        // A request larger than the bound passes when it is alone, or it would never pass.
        long waiting = _gathering.Length + (_gatheringClassic?.Length ?? 0) + _sendingLength;
        return pending.Count >= maximumPending || (waiting != 0 && waiting + length > maximumBuffered) ? Outcome.Overloaded : null;
    }

    private Outcome Append_NeedsLock(PendingOperation operation, long sequence, int length)
    {
        operation.Sequence = sequence;
        operation.Position = _appended;
        Volatile.Write(ref _appended, _appended + length);

        // A queue that runs empty between bursts is not a lone caller's; what the last send carried tells the two apart.
        bool alone = pending.Count == 0 && _lastGathered <= 1;
        _gathered++;
        pending.Enqueue_NeedsLock(operation);
        if (_hasSender && (_cork is null || _cork == Cork.Current))
        {
            return Outcome.Enqueued;
        }

        _hasSender = true;
        _cork = _cork is null && mode == CallMode.Async ? Cork.Current : null;
        return _cork is not null ? Outcome.Corked : alone ? Outcome.SendNow : Outcome.SendSoon;
    }
}
