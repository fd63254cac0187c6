using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>Holds replies against requests.</summary>
internal static class ReplyMatch
{
    /// <summary>A reply with this code and token can be the answer to the operation.</summary>
    public static bool IsAnswer(PendingOperation operation, in MetaReply reply)
    {
        OperationKind kind = operation.Kind;
        bool fits = reply.Code switch
        {
            ReplyCode.Value => kind is OperationKind.Get or OperationKind.Lease or OperationKind.Fetch or OperationKind.Increment,
            ReplyCode.Done => kind is not (OperationKind.Get or OperationKind.NoOp or OperationKind.Increment),
            ReplyCode.Miss => kind is OperationKind.Get or OperationKind.Lease or OperationKind.Inspect
                or OperationKind.Touch or OperationKind.Fetch,
            ReplyCode.NotFound => kind is OperationKind.Delete or OperationKind.Store or OperationKind.Probe
                or OperationKind.Put or OperationKind.Append or OperationKind.Increment,
            ReplyCode.Exists => kind is OperationKind.Delete or OperationKind.Store or OperationKind.Put or OperationKind.Append,
            ReplyCode.NotStored => kind is OperationKind.Store or OperationKind.Put or OperationKind.Append or OperationKind.Increment,
            ReplyCode.NotNumeric => kind == OperationKind.Increment,
            ReplyCode.NoOp => kind == OperationKind.NoOp,

            // Error lines come without a token, in the order of the requests like any reply. A barrier draws none.
            _ => kind != OperationKind.NoOp,
        };

        // So do misses of servers before 1.6.18, and a miss can do no harm in anybody's hands.
        bool tokenless = reply.Code >= ReplyCode.NoOp || (reply.Code == ReplyCode.Miss && !reply.HasOpaque);
        return fits && (tokenless || (reply.HasOpaque && reply.Opaque == operation.Opaque));
    }
}
