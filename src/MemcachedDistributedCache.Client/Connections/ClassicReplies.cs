using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Protocol.Classic;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Puts the lines of classic replies together to what a meta reply would have said, so that everything behind it
/// knows one kind of reply. The order tells whose line it is; the key behind <c>VALUE</c>, and that each command has
/// answers of its own, prove it. A line that does not fit is a violation. Used by the read loop alone, and keeps no
/// more than the first line of the oldest operation.
/// <para>
/// <c>SERVER_ERROR</c> answers a request that was read, with one line. <c>CLIENT_ERROR</c> and <c>ERROR</c> do so where
/// the command is one line. Behind a store that was not understood its data are read as commands, which draw lines that
/// nothing tells from the next requests' replies: there they are a violation.
/// </para>
/// </summary>
internal sealed class ClassicReplies
{
    private ReplyCode? _first;
    private string? _firstError;
    private bool _isBarrierAsked;

    /// <summary>The place of a line in its reply.</summary>
    public enum Step
    {
        /// <summary>It is no answer to the operation.</summary>
        Violation,

        /// <summary>More lines come.</summary>
        Incomplete,

        /// <summary>The data of an item follows, and <c>END</c>.</summary>
        Item,

        /// <summary>The reply is whole.</summary>
        Whole,
    }

    /// <summary>The bytes behind each item's data.</summary>
    public static ReadOnlySpan<byte> ItemEnd => "\r\nEND\r\n"u8;

    /// <summary>The server's words, where the reply is an error.</summary>
    public string? Error { get; private set; }

    /// <summary>
    /// A command was not understood, and a server might say so twice. A barrier behind it shows: its answer comes in its
    /// turn, or the connection ends.
    /// </summary>
    public bool NeedsBarrier { get; private set; }

    /// <summary>Reads a line of the oldest operation's reply.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="line">The line.</param>
    /// <param name="reply">
    /// The meta reply that says the same, once the reply is whole or its item begins. Where an item is read for its flags and its CAS
    /// alone its code says so, and its length is that of the data to be read over.
    /// </param>
    public Step Read(PendingOperation operation, ReadOnlySpan<byte> line, out MetaReply reply)
    {
        reply = new MetaReply { TimeToLive = OperationResult.UnknownTimeToLive, LastAccess = -1 };
        if (!ClassicReplyParser.TryParse(line, out ClassicReply said)
            || (said.Line == ClassicLine.NotNumeric && operation.Kind != OperationKind.Increment))
        {
            return Step.Violation;
        }

        _isBarrierAsked &= operation.Kind != OperationKind.NoOp;
        NeedsBarrier = said.Line == ClassicLine.NotUnderstood && operation.Kind != OperationKind.NoOp && !_isBarrierAsked;
        _isBarrierAsked |= NeedsBarrier;
        string? error = said.Line >= ClassicLine.TooLarge ? Handshake.Printable(line) : null;
        bool hasItem = (operation.ExpectedParts & ClassicParts.Item) != ClassicParts.None;
        if (_first is null && (operation.ExpectedParts & ClassicParts.Line) != ClassicParts.None)
        {
            if (CodeOf(operation, said.Line) is not { } code)
            {
                return Step.Violation;
            }

            if (hasItem)
            {
                (_first, _firstError) = (code, error);
                return Step.Incomplete;
            }

            (reply.Code, reply.Number, Error) = (code, said.Number, error);
            return Step.Whole;
        }

        if (said.Line is not (ClassicLine.Value or ClassicLine.End or >= ClassicLine.TooLarge)
            || (said.Line == ClassicLine.Value && !said.Key.SequenceEqual(operation.ExpectedKey)))
        {
            return Step.Violation;
        }

        (ReplyCode? first, Error) = (_first, _firstError);
        (_first, _firstError) = (null, null);
        Join(operation, first, said, error, ref reply);
        return said.Line == ClassicLine.Value ? Step.Item : Step.Whole;
    }

    /// <summary>The answer that a line is to the command that changes something; null where it is none.</summary>
    private static ReplyCode? CodeOf(PendingOperation operation, ClassicLine line)
    {
        bool expires = (operation.ExpectedParts & ClassicParts.Expiry) != ClassicParts.None;
        if ((operation.ExpectedParts & ClassicParts.Unsupported) != ClassicParts.None)
        {
            // A proxy may not know the server's version, or not tell it.
            return line is ClassicLine.Version or >= ClassicLine.TooLarge ? ReplyCode.Unsupported : null;
        }

        if (line >= ClassicLine.TooLarge)
        {
            // A barrier is answered by whatever line comes for it: twemproxy passes it on to a server that may be away.
            bool hasData = expires || operation.Kind is OperationKind.Store or OperationKind.Probe or OperationKind.Lease
                or OperationKind.Put or OperationKind.Append;
            return operation.Kind == OperationKind.NoOp ? ReplyCode.NoOp
                : line == ClassicLine.NotUnderstood && hasData ? null
                : ErrorOf(line);
        }

        // A store without a condition is made or fails: a refusal there belongs to another request, or is a proxy's word for a lost value.
        bool adds = (operation.ExpectedParts & ClassicParts.Add) != ClassicParts.None;
        bool compares = (operation.ExpectedParts & ClassicParts.Cas) != ClassicParts.None;
        return (operation.Kind, line) switch
        {
            (OperationKind.NoOp, ClassicLine.Version) => ReplyCode.NoOp,
            (OperationKind.Touch or OperationKind.Fetch, ClassicLine.Touched) => ReplyCode.Done,
            (OperationKind.Touch or OperationKind.Fetch, ClassicLine.NotFound) => ReplyCode.Miss,
            (OperationKind.Delete, ClassicLine.NotFound) => ReplyCode.NotFound,
            (OperationKind.Delete, ClassicLine.Deleted) when !expires => ReplyCode.Done,
            (OperationKind.Delete, ClassicLine.Stored) when expires => ReplyCode.Done,
            (OperationKind.Delete, ClassicLine.Exists) when expires => ReplyCode.Exists,
            (OperationKind.Store or OperationKind.Probe or OperationKind.Lease, ClassicLine.Stored) => ReplyCode.Done,
            (OperationKind.Put or OperationKind.Append, ClassicLine.Stored) => ReplyCode.Done,
            (OperationKind.Store or OperationKind.Lease, ClassicLine.NotStored) when adds => ReplyCode.NotStored,
            (OperationKind.Put or OperationKind.Append, ClassicLine.NotStored) when adds => ReplyCode.NotStored,
            (OperationKind.Store or OperationKind.Put, ClassicLine.Exists) when compares => ReplyCode.Exists,
            (OperationKind.Store or OperationKind.Put, ClassicLine.NotFound) when compares => ReplyCode.NotFound,
            (OperationKind.Increment, ClassicLine.Number) => ReplyCode.Done,
            (OperationKind.Increment, ClassicLine.NotFound) => ReplyCode.NotFound,
            _ => null,
        };
    }

    /// <summary>Makes one reply of both parts. A change that did not happen, or failed, is the outcome; otherwise the item is.</summary>
    private void Join(PendingOperation operation, ReplyCode? first, in ClassicReply said, string? error, ref MetaReply reply)
    {
        reply.Length = said.Length;
        bool isFound = said.Line == ClassicLine.Value;
        bool isOwn = isFound && first == ReplyCode.Done && said.Length == operation.OwnLength && said.Flags == operation.OwnFlags;
        switch (operation.Kind)
        {
            case OperationKind.Store:
                // What is there may be another's by now. Then the CAS of what was stored is unknown.
                reply.Code = first!.Value;
                reply.Cas = isOwn ? said.Cas : 0;
                return;
            case OperationKind.Touch or OperationKind.Probe when first != ReplyCode.Done:
                reply.Code = first!.Value;
                return;
            case OperationKind.Fetch when first is not (null or ReplyCode.Done):
                // Not touched. An item that is there all the same has come between both commands.
                reply.Code = first.Value;
                return;
            case OperationKind.Lease when !isFound && first >= ReplyCode.TooLarge:
                // A server without room for the empty item may have an item all the same; here it has none.
                reply.Code = first!.Value;
                return;
        }

        // What became of the first command is of no interest beside what is there.
        Error = error;
        if (!isFound)
        {
            reply.Code = said.Line == ClassicLine.End ? MissOf(operation.Kind) : ErrorOf(said.Line);
            return;
        }

        reply.Code = (operation.ExpectedParts & ClassicParts.Value) != ClassicParts.None ? ReplyCode.Value : ReplyCode.Done;
        reply.Flags = said.Flags;
        reply.Cas = said.Cas;
        reply.IsLeased = operation.Kind == OperationKind.Lease && said.Length == 0;
        reply.IsWon = operation.Kind == OperationKind.Lease && isOwn;
    }

    /// <summary>A probe that finds nothing of what it has stored has failed.</summary>
    private static ReplyCode MissOf(OperationKind kind) => kind == OperationKind.Probe ? ReplyCode.NotStored : ReplyCode.Miss;

    private static ReplyCode ErrorOf(ClassicLine line) => line switch
    {
        ClassicLine.TooLarge => ReplyCode.TooLarge,
        ClassicLine.OutOfMemory => ReplyCode.OutOfMemory,
        ClassicLine.NotNumeric => ReplyCode.NotNumeric,
        _ => ReplyCode.Error,
    };
}
