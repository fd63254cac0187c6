using System.Buffers.Binary;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// The value that a connection is receiving; there is one at a time, and the read loop alone touches it. A small value
/// has its array at once. Of a large one no more memory is taken than about twice what has come: a header costs a
/// server a few bytes, and must not cost us what it announces. To collect it in pieces instead would cost the same two
/// copies, and the pieces besides.
/// </summary>
/// <param name="hasPrefix">Tells from client flags whether a prefix stands before the value.</param>
internal sealed class IncomingValue(Func<uint, bool> hasPrefix)
{
    /// <summary>Up to this length a value has its whole array before its first byte.</summary>
    public const int TakenAtOnce = 4 * 1024 * 1024;

    /// <summary>A number of 64 bits has at most so many digits.</summary>
    public const int LongestNumber = 20;

    /// <summary>A value that lacks at least this much is received straight into its array.</summary>
    private const int DirectThreshold = 4 * 1024;

    private readonly byte[] _prefix = new byte[ValuePrefix.Length];
    private readonly byte[] _digits = new byte[LongestNumber];
    private MetaReply _reply;
    private byte[]? _array;
    private bool _isRented;
    private int _room;
    private int _prefixLength;
    private int _received; // of prefix and value together

    /// <summary>The operation whose value it is, null while none is received.</summary>
    public PendingOperation? Operation { get; private set; }

    /// <summary>The line that announced it.</summary>
    public ref readonly MetaReply Reply => ref _reply;

    /// <summary>All but the end of the block has come.</summary>
    public bool IsWhole => _received == _reply.Length;

    /// <summary>It is received for nobody: it is read over.</summary>
    public bool IsDropped => _array is null;

    private int ValueLength => _reply.Length - _prefixLength;

    private int ValueReceived => _received - _prefixLength;

    /// <summary>A value begins.</summary>
    /// <param name="operation">The operation that asked for it.</param>
    /// <param name="reply">The line that announced it.</param>
    /// <param name="isWanted">Whether it is to be kept.</param>
    public void Begin(PendingOperation operation, in MetaReply reply, bool isWanted)
    {
        Operation = operation;
        _reply = reply;
        _received = 0;
        bool isRaw = operation.Kind is OperationKind.Fetch or OperationKind.Increment;
        _prefixLength = !isRaw && hasPrefix(reply.Flags) ? Math.Min(reply.Length, ValuePrefix.Length) : 0;
        _array = null;
        if (isWanted && operation.Kind == OperationKind.Increment)
        {
            (_array, _room, _isRented) = (_digits, reply.Length, false);
        }
        else if (isWanted)
        {
            Take(Math.Min(ValueLength, TakenAtOnce));
        }
    }

    /// <summary>Where the next bytes of the socket go straight to; empty where they have to take the way through the read buffer.</summary>
    public Memory<byte> DirectRoom()
    {
        if (_array is null || _received < _prefixLength || ValueLength - ValueReceived < DirectThreshold)
        {
            return default;
        }

        if (Operation!.IsClaimed)
        {
            // Its caller has left: what is still to come is nobody's.
            Drop();
            return default;
        }

        MakeRoom();
        return _array.AsMemory(ValueReceived, _room - ValueReceived);
    }

    /// <summary>Counts bytes that were received into <see cref="DirectRoom"/>.</summary>
    public void AddDirect(int count) => _received += count;

    /// <summary>Takes what is the value's of received bytes, and returns how many those are.</summary>
    public int Add(ReadOnlySpan<byte> received)
    {
        int taken = 0;
        while (taken < received.Length && _received < _reply.Length)
        {
            ReadOnlySpan<byte> bytes = received[taken..];
            if (_received < _prefixLength)
            {
                bytes = bytes[..Math.Min(bytes.Length, _prefixLength - _received)];
                bytes.CopyTo(_prefix.AsSpan(_received));
            }
            else if (_array is null)
            {
                bytes = bytes[..Math.Min(bytes.Length, _reply.Length - _received)];
            }
            else
            {
                MakeRoom();
                bytes = bytes[..Math.Min(bytes.Length, _room - ValueReceived)];
                bytes.CopyTo(_array.AsSpan(ValueReceived));
            }

            taken += bytes.Length;
            _received += bytes.Length;
        }

        return taken;
    }

    /// <summary>The result of the whole value; its length is negative where it is shorter than its prefix, or was dropped.</summary>
    public OperationResult ToResult(object? origin, bool isUnreadable)
    {
        bool isSound = _prefixLength is 0 or ValuePrefix.Length && _array is not null;
        return new OperationResult
        {
            Status = ResultStatus.Success,
            Flags = _reply.Flags,
            TimeToLive = _reply.TimeToLive,
            Cas = _reply.Cas,
            Origin = origin,
            Lease = LeaseStates.Of(_reply),
            IsUnreadable = isUnreadable,
            IsStale = _reply.IsStale,
            WasHitBefore = _reply.WasHit,
            LastAccess = _reply.LastAccess,
            Sequence = Operation!.Sequence,
            Length = isSound ? ValueLength : -1,
            Value = _array,
            Prefix = isSound && _prefixLength != 0 ? BinaryPrimitives.ReadInt64BigEndian(_prefix) : 0,
        };
    }

    /// <summary>The result of a whole number; false where the value is none. A number that nobody waits for is not looked at.</summary>
    public bool TryReadNumber(object? origin, out OperationResult result)
    {
        ulong number = 0;
        ReadOnlySpan<byte> digits = _digits.AsSpan(0, _reply.Length);
        bool isNumber = _array is null || (WireNumber.TryRead(ref digits, ulong.MaxValue, out number) && digits.IsEmpty);
        result = new OperationResult
        {
            Status = ResultStatus.Success,
            TimeToLive = _reply.TimeToLive,
            Cas = _reply.Cas,
            Origin = origin,
            Sequence = Operation!.Sequence,
            Number = number,
        };
        return isNumber;
    }

    /// <summary>The value has ended.</summary>
    /// <param name="handedOver">Whether its array is a caller's now.</param>
    public void End(bool handedOver)
    {
        if (handedOver)
        {
            _array = null;
        }

        Drop();
        Operation = null;
    }

    private void Drop()
    {
        if (_array is not null && _isRented)
        {
            ValueArrays.Return(_array);
        }

        _array = null;
    }

    /// <summary>The bytes that have come fill the room that there is: the server has shown that it sends, and gets as much room again.</summary>
    private void MakeRoom()
    {
        if (ValueReceived < _room || _room == ValueLength)
        {
            return;
        }

        byte[] full = _array!;
        bool wasRented = _isRented;
        Take((int)Math.Min(2L * _room, ValueLength));
        full.AsSpan(0, ValueReceived).CopyTo(_array);
        if (wasRented)
        {
            ValueArrays.Return(full);
        }
    }

    /// <summary>
    /// Takes an array for so much of the value: for all of it the one that the caller asked for, for a part of it a
    /// rented one.
    /// </summary>
    private void Take(int length)
    {
        _room = length;
        _isRented = length < ValueLength || Operation!.Target == ValueTarget.PooledArray;
        _array = _isRented ? ValueArrays.Rent(length) : length == 0 ? [] : GC.AllocateUninitializedArray<byte>(length);
    }
}
