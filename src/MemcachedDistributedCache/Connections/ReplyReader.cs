using System.Buffers;
using System.Buffers.Binary;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Turns received bytes into completed operations. It owns the read buffer and no socket: whoever pumps bytes asks for
/// <see cref="GetMemory"/>, fills a part of it and calls <see cref="Advance"/>, which answers with the first violation of the protocol or null.
/// </summary>
/// <param name="queue">The operations whose replies come, in order.</param>
/// <param name="hasPrefix">Tells from client flags whether a prefix stands before the value.</param>
/// <param name="counters">Where hits and misses are counted.</param>
/// <param name="trust">Which items may be read.</param>
internal sealed class ReplyReader(PendingQueue queue, Func<uint, bool> hasPrefix, NodeCounters counters, ItemTrust trust) : IDisposable
{
    /// <summary>A value that lacks at least this much is received straight into its array.</summary>
    private const int DirectThreshold = 4 * 1024;

    /// <summary>memcached takes no larger item, whatever its <c>-I</c>.</summary>
    private const int HardLimit = 1024 * 1024 * 1024;

    private readonly byte[] _prefix = new byte[ValuePrefix.Length];
    private byte[] _buffer = ReadBuffer.Rent();
    private int _start;
    private int _end;

    // The value that is being read, if _reading is set.
    private PendingOperation? _reading;
    private long _dropped;
    private MetaReply _reply;
    private byte[]? _value;
    private int _prefixLength;
    private int _received; // of prefix, value and the final \r\n together
    private bool _direct;

    /// <summary>Where the items' states come from; see <see cref="ItemTicket"/>.</summary>
    public object? Origin { get; init; }

    /// <summary>Told of a lease that was won by a request whose caller is gone, by its key and the number of its state.</summary>
    public Action<ReadOnlySpan<byte>, ulong>? LeaseUnheard { get; init; }

    /// <summary>Told how long values are.</summary>
    public LargeValues? LargeValues { get; init; }

    /// <summary>The largest value that is believed; set from the server's settings.</summary>
    public int MaximumValueLength { get; set; } = HardLimit;

    private int ValueLength => _reply.Length - _prefixLength;

    private int ValueReceived => _received - _prefixLength;

    /// <summary>Where the next bytes go: the read buffer, or the array of a large value.</summary>
    public Memory<byte> GetMemory()
    {
        _direct = _reading is not null && _value is not null && _start == _end
            && _received >= _prefixLength && ValueLength - ValueReceived >= DirectThreshold;
        if (_direct)
        {
            return _value.AsMemory(ValueReceived, ValueLength - ValueReceived);
        }

        ReadBuffer.MakeRoom(ref _buffer, ref _start, ref _end);
        return _buffer.AsMemory(_end);
    }

    /// <summary>Reads on after <paramref name="count"/> bytes came into the last <see cref="GetMemory"/>.</summary>
    /// <returns>What is wrong with the bytes, or null.</returns>
    public string? Advance(int count)
    {
        if (_direct)
        {
            _received += count;
        }
        else
        {
            _end += count;
        }

        return Read();
    }

    /// <summary>Replies that came when their callers had given up.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Ends the operations that got no whole reply; for the read loop's end only.</summary>
    /// <returns>How many were still waited for.</returns>
    public int FailAll(Func<PendingOperation, OperationResult> failure)
    {
        DropValue();
        _reading = null;
        int failed = 0;
        while (queue.Dequeue() is { } operation)
        {
            OperationResult result = failure(operation);
            if (operation.TryComplete(result))
            {
                failed++;
                if (result.Failure?.Reason == MemcachedFailureReason.TimedOut)
                {
                    counters.AddTimeouts(1);
                }
                else
                {
                    counters.AddErrors(1, result.Failure?.Reason ?? MemcachedFailureReason.ConnectionLost);
                }
            }

            operation.Release();
        }

        return failed;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    private string? Read()
    {
        while (true)
        {
            if (_reading is not null)
            {
                if (!ReadValue(out string? broken))
                {
                    return broken;
                }

                continue;
            }

            ReadOnlySpan<byte> bytes = _buffer.AsSpan(_start, _end - _start);
            switch (ReplyFrame.TryFindLine(bytes, out int length))
            {
                case ReplyFrame.Result.Incomplete:
                    return null;
                case ReplyFrame.Result.Invalid:
                    return Describe("a line that does not end as it must", bytes);
            }

            _start += length + 2;
            if (ReadLine(bytes[..length]) is { } violation)
            {
                return violation;
            }
        }
    }

    private string? ReadLine(ReadOnlySpan<byte> line)
    {
        if (!MetaReplyParser.TryParse(line, out MetaReply reply))
        {
            return Describe("an unexpected line", line);
        }

        if (queue.Peek() is not { } operation)
        {
            return Describe("a reply that nobody asked for", line);
        }

        if (!ReplyMatch.IsAnswer(operation, reply))
        {
            return Describe($"the reply to another request than {operation.Kind} O{operation.Opaque}", line);
        }

        if (reply.Code == ReplyCode.Value)
        {
            return BeginValue(operation, reply, line);
        }

        if (operation.Kind is OperationKind.Get or OperationKind.Lease && reply.Code == ReplyCode.Miss && !operation.IsClaimed)
        {
            counters.AddMiss();
        }

        queue.Dequeue();
        if (!Complete(operation, ResultOf(operation, reply)))
        {
            NoteUnheard(operation, reply);
        }

        operation.Release();
        return null;
    }

    private OperationResult ResultOf(PendingOperation operation, in MetaReply reply) => reply.Code switch
    {
        ReplyCode.Done or ReplyCode.NoOp => new OperationResult
        {
            Status = OperationStatus.Success,
            Flags = reply.Flags,
            TimeToLive = reply.TimeToLive,
            Cas = reply.Cas,
            Origin = Origin,
            Lease = LeaseStates.Of(reply),
            IsUnreadable = reply.IsStale || trust.Excludes(reply.Cas),
            Sequence = operation.Sequence,
        },
        ReplyCode.Miss => OperationResult.Of(OperationStatus.Miss),
        ReplyCode.NotFound => OperationResult.Of(operation.Kind == OperationKind.Delete ? OperationStatus.Miss : OperationStatus.Conflict),
        ReplyCode.TooLarge => TooLarge(),
        ReplyCode.OutOfMemory => OutOfMemory(),
        _ => OperationResult.Of(OperationStatus.Conflict),
    };

    private OperationResult OutOfMemory()
    {
        counters.AddErrors(1, MemcachedFailureReason.ServerOutOfMemory);
        return OperationResult.Failed(counters.OutOfMemory);
    }

    private OperationResult TooLarge()
    {
        counters.AddOversized();
        return OperationResult.Of(OperationStatus.TooLarge);
    }

    private string? BeginValue(PendingOperation operation, in MetaReply reply, ReadOnlySpan<byte> line)
    {
        if (reply.Length > MaximumValueLength)
        {
            return Describe("a value larger than the server's own limit", line);
        }

        LargeValues?.Note(operation.ReadHash, reply.Length);

        // It stays in the queue while its value comes, so that its deadline is looked after.
        _reading = operation;
        _reply = reply;
        _received = 0;
        _prefixLength = hasPrefix(reply.Flags) ? Math.Min(reply.Length, ValuePrefix.Length) : 0;
        _value = operation.IsClaimed ? null
            : operation.Target == ValueTarget.PooledArray ? ValueArrays.Rent(ValueLength)
            : ValueLength == 0 ? [] : GC.AllocateUninitializedArray<byte>(ValueLength);
        return null;
    }

    /// <summary>Reads on in the value; true once it is whole and handed over.</summary>
    private bool ReadValue(out string? violation)
    {
        violation = null;
        while (_start < _end && _received < _reply.Length)
        {
            ReadOnlySpan<byte> bytes = _buffer.AsSpan(_start, _end - _start);
            if (_received < _prefixLength)
            {
                bytes = bytes[..Math.Min(bytes.Length, _prefixLength - _received)];
                bytes.CopyTo(_prefix.AsSpan(_received));
            }
            else
            {
                bytes = bytes[..Math.Min(bytes.Length, _reply.Length - _received)];
                if (_value is not null)
                {
                    bytes.CopyTo(_value.AsSpan(ValueReceived));
                }
            }

            _start += bytes.Length;
            _received += bytes.Length;
        }

        if (_received < _reply.Length || _end - _start < 2)
        {
            return false;
        }

        if (_buffer[_start] != '\r' || _buffer[_start + 1] != '\n')
        {
            violation = Describe("a value longer than announced", _buffer.AsSpan(_start, 2));
            return false;
        }

        _start += 2;
        CompleteValue();
        return true;
    }

    private void CompleteValue()
    {
        PendingOperation operation = queue.Dequeue()!;
        _reading = null;
        bool handedOver;
        bool isPlaceholder = _reply.IsLeased && _reply.Length == 0;
        bool isUnreadable = _reply.IsStale || trust.Excludes(_reply.Cas);
        if (operation.Kind == OperationKind.Get && (isUnreadable || isPlaceholder))
        {
            // Another client has marked the item as old, or holds its place with nothing while it makes the value; or it may not be read.
            handedOver = false;
            if (!operation.IsClaimed)
            {
                counters.AddMiss();
            }

            Complete(operation, OperationResult.Of(OperationStatus.Miss));
        }
        else
        {
            if (!operation.IsClaimed && (isUnreadable || isPlaceholder))
            {
                counters.AddMiss();
            }
            else if (!operation.IsClaimed)
            {
                counters.AddHit();
            }

            handedOver = _value is not null && Complete(operation, ValueResult(operation, isUnreadable));
        }

        if (!handedOver)
        {
            DropValue(operation.Target);
            NoteUnheard(operation, _reply);
        }

        _value = null;
        operation.Release();
    }

    /// <summary>Gives an operation its result, unless its caller is gone.</summary>
    private bool Complete(PendingOperation operation, in OperationResult result)
    {
        if (operation.TryComplete(result))
        {
            return true;
        }

        Volatile.Write(ref _dropped, _dropped + 1);
        return false;
    }

    /// <summary>A lease that nobody holds, because whoever won it has given up, would keep everybody waiting.</summary>
    private void NoteUnheard(PendingOperation operation, in MetaReply reply)
    {
        if (operation.Kind == OperationKind.Lease && reply.IsWon && reply.Cas != 0)
        {
            LeaseUnheard?.Invoke(operation.ChangedKey, reply.Cas);
        }
    }

    private OperationResult ValueResult(PendingOperation operation, bool isUnreadable)
    {
        bool whole = _prefixLength is 0 or ValuePrefix.Length;
        return new OperationResult
        {
            Status = OperationStatus.Success,
            Flags = _reply.Flags,
            TimeToLive = _reply.TimeToLive,
            Cas = _reply.Cas,
            Origin = Origin,
            Lease = LeaseStates.Of(_reply),
            IsUnreadable = isUnreadable,
            Sequence = operation.Sequence,
            Length = whole ? ValueLength : -1,
            Value = _value,
            Prefix = whole && _prefixLength != 0 ? BinaryPrimitives.ReadInt64BigEndian(_prefix) : 0,
        };
    }

    private void DropValue() => DropValue(_reading?.Target ?? ValueTarget.OwnArray);

    private void DropValue(ValueTarget target)
    {
        if (_value is not null && target == ValueTarget.PooledArray)
        {
            ValueArrays.Return(_value);
        }

        _value = null;
    }

    /// <summary>Says what came. Error lines are quoted; other bytes may be a value's, which no log may hold.</summary>
    private static string Describe(string what, ReadOnlySpan<byte> bytes)
    {
        bool isError = bytes.StartsWith("ERROR"u8) || bytes.StartsWith("CLIENT_ERROR"u8) || bytes.StartsWith("SERVER_ERROR"u8);
        int end = bytes.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = end < 0 ? bytes : bytes[..end];
        return isError ? $"{what}: '{Greeting.Printable(line)}'" : $"{what}, of {line.Length} bytes";
    }
}
