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
        ReplyCode.Done or ReplyCode.NoOp => new OperationResult
        {
            Status = ResultStatus.Success,
            Flags = reply.Flags,
            TimeToLive = reply.TimeToLive,
            Length = reply.Length,
            Cas = reply.Cas,
            Origin = origin,
            Lease = LeaseStates.Of(reply),
            IsUnreadable = reply.IsStale || !owner.Admits(reply.Cas),
            Sequence = operation.Sequence,
        },
        ReplyCode.Miss => OperationResult.Of(ResultStatus.Miss),
        ReplyCode.NotFound => OperationResult.Of(operation.Kind == OperationKind.Delete ? ResultStatus.Miss : ResultStatus.Conflict),
        ReplyCode.TooLarge when operation.Kind is OperationKind.Store or OperationKind.Probe => TooLarge(),
        ReplyCode.OutOfMemory when operation.Kind != OperationKind.Delete => Refused(_counters.OutOfMemory),
        ReplyCode.TooLarge or ReplyCode.OutOfMemory or ReplyCode.Error => Refused(_counters.ServerError(error!)),
        _ => OperationResult.Of(ResultStatus.Conflict),
    };

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
