using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>Tells what a reply without a value means to its operation, and counts the errors among them.</summary>
internal sealed class ReplyResults(IConnectionOwner owner)
{
    private readonly NodeCounters _counters = owner.Counters;

    /// <summary>The result of a reply.</summary>
    /// <param name="operation">The operation that it answers.</param>
    /// <param name="reply">The reply.</param>
    /// <param name="error">The server's words, where these are an error.</param>
    /// <param name="origin">The connection by which it came.</param>
    public OperationResult Of(PendingOperation operation, in MetaReply reply, string? error, object? origin) => reply.Code switch
    {
        ReplyCode.Done when operation.Kind == OperationKind.Fetch && !owner.Admits(reply.Cas) => OperationResult.Of(ResultStatus.Miss),
        ReplyCode.Done or ReplyCode.NoOp => new OperationResult
        {
            Status = ResultStatus.Success,
            Flags = reply.Flags,
            TimeToLive = reply.TimeToLive,
            Length = reply.Length,
            Cas = reply.Cas,
            Origin = origin,
            Lease = LeaseStates.Of(reply),
            IsStale = reply.IsStale,
            WasHitBefore = reply.WasHit,
            LastAccess = reply.LastAccess,
            IsUnreadable = reply.IsStale || !owner.Admits(reply.Cas),
            Sequence = operation.Sequence,
            Number = reply.Number,
        },
        ReplyCode.Miss => OperationResult.Of(ResultStatus.Miss),
        ReplyCode.NotFound => OperationResult.Of(
            operation.Kind is OperationKind.Store or OperationKind.Probe ? ResultStatus.Conflict : ResultStatus.Miss),
        ReplyCode.TooLarge
            when operation.Kind is OperationKind.Store or OperationKind.Probe or OperationKind.Put or OperationKind.Append => TooLarge(),
        ReplyCode.Unsupported => OperationResult.Of(ResultStatus.Unsupported),
        ReplyCode.NotNumeric => new OperationResult { Status = ResultStatus.Rejected, Failure = _counters.ServerError(error!) },
        ReplyCode.OutOfMemory when operation.Kind != OperationKind.Delete => Refused(_counters.OutOfMemory),
        ReplyCode.TooLarge or ReplyCode.OutOfMemory or ReplyCode.Error => Refused(_counters.ServerError(error!)),
        _ => OperationResult.Of(ResultStatus.Conflict),
    };

    /// <summary>The result of a whole value, which counts as a hit or a miss if somebody still waits for it.</summary>
    /// <param name="value">The value.</param>
    /// <param name="origin">The connection by which it came.</param>
    /// <param name="largestKept">The largest value that is kept.</param>
    /// <param name="isHandedOver">The result has the value's array.</param>
    public OperationResult OfValue(IncomingValue value, object? origin, int largestKept, out bool isHandedOver)
    {
        PendingOperation operation = value.Operation!;
        ref readonly MetaReply reply = ref value.Reply;
        bool isAdmitted = owner.Admits(reply.Cas);
        bool isFetch = operation.Kind == OperationKind.Fetch;

        // Another client has marked the item as old, or holds its place with nothing while it makes the value; or it may not be read, or is
        // larger than what is kept. Who fetches the item is told of all that but the fence.
        bool isMiss = !isAdmitted || (!isFetch && (reply.IsStale || value.IsDropped || (reply.IsLeased && reply.Length == 0)));
        if (!operation.IsClaimed)
        {
            if (isMiss)
            {
                _counters.AddMiss();
            }
            else
            {
                _counters.AddHit();
            }
        }

        bool isTooLarge = isFetch && value.IsDropped;
        isHandedOver = !isTooLarge && !(isMiss && operation.Kind is OperationKind.Get or OperationKind.Fetch);
        return isHandedOver ? value.ToResult(origin, reply.IsStale || !isAdmitted)
            : isMiss ? OperationResult.Of(ResultStatus.Miss)
            : new OperationResult { Status = ResultStatus.TooLarge, Length = largestKept };
    }

    private OperationResult Refused(OperationFailure failure)
    {
        _counters.AddErrors(1, failure.Reason);
        return OperationResult.Failed(failure);
    }

    private OperationResult TooLarge()
    {
        _counters.AddOversized();
        return OperationResult.Of(ResultStatus.TooLarge);
    }
}
