using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Tells the node what became of changes: one that ends without a definite answer makes its key uncertain, and one that
/// was made may settle a key. Each end of a change calls here once, before the change's caller hears of it, so that no
/// caller has to. A change that only holds in one state of its key (CAS) has no key here: it happens to that state or
/// not at all, however late.
/// </summary>
internal sealed class ChangeOutcomes(IConnectionOwner owner, CallMode mode, long connection)
{
    /// <summary>A change begins.</summary>
    public void Begin(PendingOperation operation)
    {
        if (operation.IsChange)
        {
            operation.BegunAt = owner.LastUncertainVersion;
        }
    }

    /// <summary>Nothing was sent: there was no room, or the connection could not be opened.</summary>
    public void Refused(PendingOperation operation)
    {
        if (operation.IsChange)
        {
            owner.RecordUncertain(operation.ChangedKey, mayOvertakeRemoval: false, SettlingConnection.Any);
        }
    }

    /// <summary>
    /// No answer came in time. What is asked of the key next follows on this connection, a removal too. A caller that
    /// blocks has a connection of its own, which the removal does not take.
    /// </summary>
    public void TimedOut(ReadOnlySpan<byte> changedKey)
    {
        if (!changedKey.IsEmpty)
        {
            owner.RecordUncertain(changedKey, mayOvertakeRemoval: mode == CallMode.Sync, connection);
        }
    }

    /// <summary>
    /// The change was sent on a connection that has ended, or is sent when its caller has gone: it may come after
    /// whatever is asked from now on.
    /// </summary>
    public void Lost(PendingOperation operation)
    {
        if (operation.IsChange)
        {
            owner.RecordUncertain(operation.ChangedKey, mayOvertakeRemoval: true, SettlingConnection.None);
        }
    }

    /// <summary>The connection has ended before the answer came.</summary>
    /// <param name="operation">The change.</param>
    /// <param name="wasSent">Any byte of the request may have reached the server.</param>
    public void Ended(PendingOperation operation, bool wasSent)
    {
        if (wasSent || operation.IsClaimed)
        {
            // A caller who has cancelled hears of nothing, not even that nothing was sent.
            Lost(operation);
        }
        else
        {
            Refused(operation);
        }
    }

    /// <summary>
    /// The server has answered, whether or not the caller still waits. A server that refused the change in words, or
    /// for want of memory, may have left the older item where it is.
    /// </summary>
    public void Answered(PendingOperation operation, in OperationResult result)
    {
        if (!operation.IsChange)
        {
            return;
        }

        if (result.Status == ResultStatus.Failed)
        {
            owner.RecordUncertain(operation.ChangedKey, mayOvertakeRemoval: false, connection);
        }
        else if (
            operation.BegunAt != 0
            && operation.Kind is not (OperationKind.Append or OperationKind.Increment) // they build on what they do not know
            && (result.Status == ResultStatus.Success || (result.Status == ResultStatus.Miss && operation.Kind == OperationKind.Delete)))
        {
            owner.Settle(operation.ChangedKey, operation.BegunAt, connection);
        }
    }
}
