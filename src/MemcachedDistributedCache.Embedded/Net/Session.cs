using MemcachedDistributedCache.Embedded.Commands;

namespace MemcachedDistributedCache.Embedded.Net;

internal enum SessionStep
{
    /// <summary>All that can be done with the input was done.</summary>
    NeedInput,

    /// <summary>There may be more to do, but the replies must be sent first.</summary>
    NeedRoom,

    /// <summary>Send the replies and close.</summary>
    Close,

    /// <summary>Close; replies that memcached would not have sent yet are lost.</summary>
    Abort,
}

/// <summary>
/// The protocol state of one connection: bytes in, replies out, no I/O. It finds where a line or a data block ends; what
/// they say is for the commands.
/// </summary>
internal sealed class Session(CommandContext context)
{
    /// <summary>A line may be longer only if it is a retrieval, whose keys are unlimited.</summary>
    public const int LongestLine = 2048;

    private const int MostLeadingSpaces = 100;
    private const byte BinaryProtocol = 0x80;

    private readonly AuthenticationGate _gate = new(context, context.Server.Users);
    private Next _next = Next.Line;
    private int _retrieved;
    private bool _started;

    /// <summary>Executes as much of the input as it can; what was not consumed has to be given again, with more behind it.</summary>
    public SessionStep Advance(ReadOnlySpan<byte> input, out int consumed)
    {
        lock (context.Store.Gate)
        {
            context.BeginBatch_NeedsGate();
            consumed = 0;
            while (true)
            {
                SessionStep? step = _next.Kind switch
                {
                    _ when !_gate.IsOpen => Authenticate(input[consumed..], ref consumed),
                    NextKind.Line => ReadLine(input[consumed..], ref consumed),
                    NextKind.Data => ReadData(input[consumed..], ref consumed),
                    NextKind.Swallow => Swallow(input[consumed..], ref consumed),
                    NextKind.Retrieve => Retrieve(input[consumed..], ref consumed),
                    NextKind.Close => SessionStep.Close,
                    _ => SessionStep.Abort,
                };
                if (step is { } end)
                {
                    return end;
                }

                if (context.Reply.IsFull && _next.Kind is not (NextKind.Close or NextKind.Abort))
                {
                    return SessionStep.NeedRoom;
                }
            }
        }
    }

    /// <summary>The client is gone: what its last request held is given back.</summary>
    public void Abandon()
    {
        lock (context.Store.Gate)
        {
            if (_next is { Kind: NextKind.Data, Upload: { } upload })
            {
                StorageCommands.Abandon_NeedsGate(context, upload);
                _next = new Next(NextKind.Abort);
            }
        }
    }

    private SessionStep? Authenticate(ReadOnlySpan<byte> input, ref int consumed)
    {
        // A server that asks for a user speaks the text protocol only.
        _started = true;
        return _gate.Advance(input, ref consumed);
    }

    private SessionStep? ReadLine(ReadOnlySpan<byte> input, ref int consumed)
    {
        if (!_started && input.Length > 0)
        {
            // The binary protocol was removed from new memcached versions; a client of it is better cut off than kept waiting.
            _started = true;
            if (input[0] == BinaryProtocol)
            {
                return SessionStep.Abort;
            }
        }

        if (!TryLine(input, out ReadOnlySpan<byte> line, out int length))
        {
            return input.Length > LongestLine && !MayBeLong(input) ? SessionStep.Abort : SessionStep.NeedInput;
        }

        _next = CommandTable.Execute(context, line);
        if (_next.Kind == NextKind.Retrieve)
        {
            // The line stays in the input until its last key was fetched.
            _retrieved = RetrievalCommands.FirstKey(line, _next.Retrieval);
        }
        else
        {
            consumed += length;
        }

        return null;
    }

    private SessionStep? Retrieve(ReadOnlySpan<byte> input, ref int consumed)
    {
        TryLine(input, out ReadOnlySpan<byte> line, out int length);
        if (!RetrievalCommands.Continue(context, line, ref _retrieved, _next.Retrieval))
        {
            return SessionStep.NeedRoom;
        }

        consumed += length;
        _next = Next.Line;
        return null;
    }

    private SessionStep? ReadData(ReadOnlySpan<byte> input, ref int consumed)
    {
        Upload upload = _next.Upload!;
        consumed += upload.Take(input);
        if (!upload.IsComplete)
        {
            return SessionStep.NeedInput;
        }

        _next = Next.Line;
        StorageCommands.Complete(context, upload);
        return null;
    }

    private SessionStep? Swallow(ReadOnlySpan<byte> input, ref int consumed)
    {
        int swallowed = (int)Math.Min(input.Length, _next.Count);
        consumed += swallowed;
        _next = Next.Swallow(_next.Count - swallowed);
        if (_next.Count > 0)
        {
            return SessionStep.NeedInput;
        }

        _next = Next.Line;
        return null;
    }

    /// <summary><c>*OCTET [CR] LF</c>; a CR alone before the LF is left in the line, as memcached leaves it.</summary>
    private static bool TryLine(ReadOnlySpan<byte> input, out ReadOnlySpan<byte> line, out int length)
    {
        int end = input.IndexOf((byte)'\n');
        length = end + 1;
        line = end > 1 && input[end - 1] == '\r' ? input[..(end - 1)] : input[..Math.Max(end, 0)];
        return end >= 0;
    }

    private static bool MayBeLong(ReadOnlySpan<byte> input)
    {
        int spaces = input.IndexOfAnyExcept((byte)' ');
        return spaces is >= 0 and <= MostLeadingSpaces
            && (input[spaces..].StartsWith("get "u8) || input[spaces..].StartsWith("gets "u8));
    }
}
