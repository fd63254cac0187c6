using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Connections;

/// <summary>How an operation ended, as a value: nothing below the public edge throws for a server's sake.</summary>
internal enum OperationStatus : byte
{
    /// <summary>Found, stored, touched or deleted, as the operation has it.</summary>
    Success,

    /// <summary>The item is not there.</summary>
    Miss,

    /// <summary>A store's condition did not hold.</summary>
    Conflict,

    /// <summary>The item is larger than the server takes; nothing was stored.</summary>
    TooLarge,

    /// <summary>The caller cancelled. A write may have happened all the same.</summary>
    Canceled,

    /// <summary>No answer to rely on; <see cref="OperationResult.Failure"/> says why.</summary>
    Failed,
}

/// <summary>Who is to make the value of an item that was asked for with a lease.</summary>
internal enum LeaseState : byte
{
    /// <summary>Nobody was told to.</summary>
    None,

    /// <summary>The one who asked.</summary>
    Won,

    /// <summary>Somebody who asked before.</summary>
    Taken,
}

/// <summary>Reads the state of a lease from a reply.</summary>
internal static class LeaseStates
{
    /// <summary>What a reply says of it.</summary>
    public static LeaseState Of(in MetaReply reply) => reply.IsWon ? LeaseState.Won : reply.IsLeased ? LeaseState.Taken : LeaseState.None;
}

/// <summary>
/// The state of one item on one server: what a conditional write is held against. The origin is the connection that told the state, for a number
/// means nothing to another server, nor to the same one once it has been restarted.
/// </summary>
/// <param name="Cas">The number of the state.</param>
/// <param name="Origin">The connection that told it.</param>
internal readonly record struct CasToken(ulong Cas, object? Origin)
{
    /// <summary>Whether there is a state to be held against; a server with CAS switched off (-C) tells none.</summary>
    public bool IsKnown => Cas != 0 && Origin is not null;
}

/// <summary>What an operation gives back.</summary>
internal readonly struct OperationResult
{
    /// <summary>How it ended.</summary>
    public OperationStatus Status { get; init; }

    /// <summary>The client flags of the item that was read.</summary>
    public uint Flags { get; init; }

    /// <summary>Remaining seconds of the item, -1 for ever.</summary>
    public int TimeToLive { get; init; }

    /// <summary>Which request was answered; see <see cref="RequestSequence"/>.</summary>
    public long Sequence { get; init; }

    /// <summary>
    /// The value's length; the array may be longer if it was asked for as pooled. With <see cref="OperationStatus.TooLarge"/>: the longest
    /// value that fits, or 0 where the server did not say.
    /// </summary>
    public int Length { get; init; }

    /// <summary>The number of the item's state, where it was asked for.</summary>
    public ulong Cas { get; init; }

    /// <summary>The connection that told the CAS.</summary>
    public object? Origin { get; init; }

    /// <summary>Who is to make the value, where it was asked for with a lease.</summary>
    public LeaseState Lease { get; init; }

    /// <summary>Whether an item that was asked for with a lease is there and must not be read.</summary>
    public bool IsUnreadable { get; init; }

    /// <summary>Whether it was read in the place of a node that is down.</summary>
    public bool IsOfGutter { get; init; }

    /// <summary>The state that was told.</summary>
    public CasToken CasToken => new(Cas, Origin);

    /// <summary>The value without its prefix, if one was read.</summary>
    public byte[]? Value { get; init; }

    /// <summary>The entry's prefix (see <see cref="ValuePrefix"/>), read as a big-endian number.</summary>
    public long Prefix { get; init; }

    /// <summary>Why there is no answer.</summary>
    public OperationFailure? Failure { get; init; }

    /// <summary>Whether, of a change, it is not known that it happened, and nobody has noted that yet. A lost connection notes it by itself.</summary>
    public bool IsUncertainChange
        => Failure?.Reason is MemcachedFailureReason.Unavailable or MemcachedFailureReason.Overloaded or MemcachedFailureReason.TimedOut or MemcachedFailureReason.ServerError;

    /// <summary>
    /// Whether the server may yet make a change that leaves its key uncertain, after what it is asked from now on. Changes of one key keep their order, except
    /// between callers that block and others: theirs are two connections, of which one may be late by itself.
    /// </summary>
    public bool MayOvertakeRemoval(CallMode mode) => mode == CallMode.Sync && Failure is { } failure && (failure.Reason == MemcachedFailureReason.TimedOut || failure.FollowsTimeout);

    /// <summary>A result without a value.</summary>
    public static OperationResult Of(OperationStatus status) => new() { Status = status };

    /// <summary>A failed result.</summary>
    public static OperationResult Failed(OperationFailure failure) => new() { Status = OperationStatus.Failed, Failure = failure };
}

/// <summary>Why an operation has no answer. Immutable, so that one may serve many callers.</summary>
/// <param name="Reason">The kind of failure.</param>
/// <param name="Node">What is known of the server.</param>
/// <param name="WasSent">Whether any byte of the request may have reached the server.</param>
/// <param name="Cause">What broke the connection, if something did.</param>
internal sealed record OperationFailure(MemcachedFailureReason Reason, NodeCounters Node, bool WasSent, Exception? Cause = null)
{
    /// <summary>The server's address as configured.</summary>
    public string Server => Node.Server;

    /// <summary>What the server said, or why it cannot be used, where that is known; without a key or a value.</summary>
    public string? Detail { get; init; }

    /// <summary>Whether it was told at once, and nothing was tried.</summary>
    public bool IsRefusal { get; init; }

    /// <summary>Whether an earlier attempt timed out: its request may still be on its way.</summary>
    public bool FollowsTimeout { get; init; }

    /// <summary>How long it took until it failed, where that is known to be other than the limit of an attempt.</summary>
    public TimeSpan? Took { get; init; }
}

/// <summary>
/// Tells from an item's client flags how many bytes stand before its value: 0 or <see cref="Length"/>. They are taken off on
/// the way in, so that the caller's array holds the value and nothing else.
/// </summary>
internal static class ValuePrefix
{
    /// <summary>The length of a prefix, where there is one.</summary>
    public const int Length = sizeof(long);
}
