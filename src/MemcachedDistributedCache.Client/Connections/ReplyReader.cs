using System.Buffers;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Turns received bytes into completed operations. It owns the read buffer and no socket: the read loop asks for
/// <see cref="GetMemory"/>, fills a part of it and calls <see cref="Advance"/>, which answers with the first violation
/// of the protocol or null.
/// </summary>
/// <param name="queue">The operations whose replies come, in order.</param>
/// <param name="hasPrefix">Tells from client flags whether a prefix stands before the value.</param>
/// <param name="owner">Counts, tells which items may be read, and hears what became of changes.</param>
internal sealed class ReplyReader(PendingQueue queue, Func<uint, bool> hasPrefix, IConnectionOwner owner) : IDisposable
{
    /// <summary>memcached takes no larger item, whatever its <c>-I</c>.</summary>
    private const int HardLimit = 1024 * 1024 * 1024;

    private readonly NodeCounters _counters = owner.Counters;
    private readonly ReplyResults _results = new(owner);
    private readonly IncomingValue _value = new(hasPrefix);
    private readonly UnplacedReplies _unplaced = new();
    private byte[] _buffer = ReadBuffer.Rent();
    private int _start;
    private int _end;
    private long _dropped;
    private bool _direct;
    private ClassicReplies? _classic;

    /// <summary>The origin of the items' states, the connection or the address of shared servers; see <see cref="CasToken"/>.</summary>
    public object? Origin { get; init; }

    /// <summary>Told of a lease that was won by a request whose caller is gone, by its key and the number of its state.</summary>
    public Action<ReadOnlySpan<byte>, ulong>? LeaseUnheard { get; init; }

    /// <summary>Told what became of changes.</summary>
    public ChangeOutcomes? Changes { get; init; }

    /// <summary>Told that a reply came whose place only a later one can prove, so that there is a later one.</summary>
    public Action? ProofNeeded { get; init; }

    /// <summary>The largest value that is believed; set from the server's settings.</summary>
    public int MaximumValueLength { get; set; } = HardLimit;

    /// <summary>The largest value that is kept, prefix included. A larger one, which another client may have stored, is a miss.</summary>
    public int LargestKept { get; init; } = HardLimit;

    /// <summary>Takes what the server said of itself: which replies come, and how long a value may be. Before the first reply.</summary>
    public void Begin(Handshake handshake)
    {
        _classic = handshake.IsClassic ? new ClassicReplies() : null;
        MaximumValueLength = handshake.ItemSizeMax == 0 ? MaximumValueLength : handshake.ItemSizeMax;
    }

    /// <summary>Where the next bytes go: the read buffer, or the array of a large value.</summary>
    public Memory<byte> GetMemory()
    {
        Memory<byte> room = _start == _end && _value.Operation is not null ? _value.DirectRoom() : default;
        _direct = !room.IsEmpty;
        if (_direct)
        {
            return room;
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
            _value.AddDirect(count);
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
        _value.End(handedOver: false);
        _unplaced.Clear();
        int failed = 0;
        while (queue.Dequeue() is { } operation)
        {
            OperationResult result = failure(operation);
            if (operation.TryComplete(result))
            {
                failed++;
                if (result.Failure?.Reason == MemcachedFailureReason.TimedOut)
                {
                    _counters.AddTimeouts(1);
                }
                else
                {
                    _counters.AddErrors(1, result.Failure?.Reason ?? MemcachedFailureReason.ConnectionLost);
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
            if (_value.Operation is not null)
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
        if (_classic is not null)
        {
            return ReadClassicLine(_classic, line);
        }

        if (!MetaReplyParser.TryParse(line, out MetaReply reply))
        {
            return Describe("an unexpected line", line);
        }

        if (_unplaced.IsOpen && (Unplaced(reply, line, out string? misplaced) || misplaced is not null))
        {
            return misplaced;
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

        if (reply.Code == ReplyCode.Error)
        {
            _unplaced.Open();
        }

        End(reply, reply.Code >= ReplyCode.TooLarge ? Handshake.Printable(line) : null);
        return null;
    }

    private string? ReadClassicLine(ClassicReplies classic, ReadOnlySpan<byte> line)
    {
        if (queue.Peek() is not { } operation)
        {
            return Describe("a reply that nobody asked for", line);
        }

        ClassicReplies.Step step = classic.Read(operation, line, out MetaReply reply);
        if (classic.NeedsBarrier && step != ClassicReplies.Step.Violation)
        {
            ProofNeeded?.Invoke();
        }

        switch (step)
        {
            case ClassicReplies.Step.Violation:
                return Describe($"no reply to {operation.Kind} by classic commands", line);
            case ClassicReplies.Step.Item:
                return BeginValue(operation, reply, line);
            case ClassicReplies.Step.Whole:
                End(reply, classic.Error);
                break;
        }

        return null;
    }

    /// <summary>
    /// Holds a reply against an error line before it: true where it waits to be placed, with a violation where it never
    /// can be.
    /// </summary>
    private bool Unplaced(in MetaReply reply, ReadOnlySpan<byte> line, out string? misplaced)
    {
        misplaced = null;
        if (reply.HasOpaque || reply.Code == ReplyCode.NoOp)
        {
            if (!_unplaced.AreProvenBy(reply, queue))
            {
                misplaced = Describe($"a reply that does not follow from {_unplaced.Count} without a token", line);
                return false;
            }

            for (int i = 0; i < _unplaced.Count; i++)
            {
                End(_unplaced[i].Reply, _unplaced[i].Error);
            }

            _unplaced.Clear();
            return false;
        }

        if (_unplaced.Count >= queue.Count)
        {
            misplaced = Describe("a reply that nobody asked for", line);
            return false;
        }

        _unplaced.Add(reply, reply.Code >= ReplyCode.TooLarge ? Handshake.Printable(line) : null);
        if (_unplaced.Count == 1)
        {
            ProofNeeded?.Invoke();
        }

        return true;
    }

    /// <summary>Ends the oldest operation with a reply that is its own.</summary>
    private void End(in MetaReply reply, string? error)
    {
        PendingOperation operation = queue.Dequeue()!;
        bool isRead = operation.Kind is OperationKind.Get or OperationKind.Lease or OperationKind.Fetch;
        if (isRead && reply.Code == ReplyCode.Miss && !operation.IsClaimed)
        {
            _counters.AddMiss();
        }

        OperationResult result = _results.Of(operation, reply, error, Origin);
        Changes?.Answered(operation, result);
        if (!Complete(operation, result))
        {
            NoteUnheard(operation, reply);
        }

        operation.Release();
    }

    private string? BeginValue(PendingOperation operation, in MetaReply reply, ReadOnlySpan<byte> line)
    {
        if (reply.Length > MaximumValueLength)
        {
            return Describe("a value larger than the server's own limit", line);
        }

        if (operation.Kind == OperationKind.Increment && reply.Length is 0 or > IncomingValue.LongestNumber)
        {
            return Describe("a number that is none", line);
        }

        owner.LargeValues.Note(operation.ReadHash, reply.Length);

        // It stays in the queue while its value comes, so that its deadline is looked after.
        _value.Begin(operation, reply, reply.Code == ReplyCode.Value && !operation.IsClaimed && (reply.Length <= LargestKept || operation.Kind == OperationKind.Increment));
        return null;
    }

    /// <summary>Reads on in the value; true once it is whole and handed over.</summary>
    private bool ReadValue(out string? violation)
    {
        violation = null;
        _start += _value.Add(_buffer.AsSpan(_start, _end - _start));
        ReadOnlySpan<byte> end = _classic is null ? "\r\n"u8 : ClassicReplies.ItemEnd;
        if (!_value.IsWhole || _end - _start < end.Length)
        {
            return false;
        }

        if (!_buffer.AsSpan(_start, end.Length).SequenceEqual(end))
        {
            violation = Describe("a value longer than announced", _buffer.AsSpan(_start, end.Length));
            return false;
        }

        _start += end.Length;
        if (_value.Operation!.Kind == OperationKind.Increment)
        {
            violation = CompleteNumber() ? null : Describe("a number that is none", "\r\n"u8);
            return violation is null;
        }

        if (_value.Reply.Code == ReplyCode.Value)
        {
            CompleteValue();
            return true;
        }

        // No more than the flags and the CAS of the item were wanted.
        MetaReply reply = _value.Reply;
        _value.End(handedOver: false);
        End(reply, _classic!.Error);
        return true;
    }

    /// <summary>Hands over the number that an increment has made; false where it is none, which ends the connection.</summary>
    private bool CompleteNumber()
    {
        if (!_value.TryReadNumber(Origin, out OperationResult result))
        {
            return false;
        }

        PendingOperation operation = queue.Dequeue()!;
        Complete(operation, result);
        _value.End(handedOver: false);
        operation.Release();
        return true;
    }

    private void CompleteValue()
    {
        PendingOperation operation = queue.Dequeue()!;
        OperationResult result = _results.OfValue(_value, Origin, LargestKept, out bool isHandedOver);
        bool isHeard = Complete(operation, result);
        if (!isHeard)
        {
            NoteUnheard(operation, _value.Reply);
        }

        _value.End(isHeard && isHandedOver);
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

    /// <summary>Says what came. Error lines are quoted; other bytes may be a value's, which no log may hold.</summary>
    private static string Describe(string what, ReadOnlySpan<byte> bytes)
    {
        bool isError = bytes.StartsWith("ERROR"u8) || bytes.StartsWith("CLIENT_ERROR"u8) || bytes.StartsWith("SERVER_ERROR"u8);
        int end = bytes.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = end < 0 ? bytes : bytes[..end];
        return isError ? $"{what}: '{Handshake.Printable(line)}'" : $"{what}, of {line.Length} bytes";
    }
}
