namespace MemcachedDistributedCache.Vocabulary;

/// <summary>The result of an operation.</summary>
internal readonly struct OperationResult
{
    /// <summary>How it ended.</summary>
    public ResultStatus Status { get; init; }

    /// <summary>The client flags of the item that was read.</summary>
    public uint Flags { get; init; }

    /// <summary>The <see cref="TimeToLive"/> of an item whose server was asked by classic commands, none of which tells.</summary>
    public const int UnknownTimeToLive = int.MinValue;

    /// <summary>Remaining seconds of the item, -1 for ever, or <see cref="UnknownTimeToLive"/>.</summary>
    public int TimeToLive { get; init; }

    /// <summary>Which request was answered; see <c>RequestSequence</c>.</summary>
    public long Sequence { get; init; }

    /// <summary>
    /// The value's length; the array may be longer if it was asked for as pooled. 0 where the value was not asked for and the server
    /// did not say. With <see cref="ResultStatus.TooLarge"/>: the longest
    /// value that fits, or 0 where the server did not say.
    /// </summary>
    public int Length { get; init; }

    /// <summary>The number of the item's state, where it was asked for.</summary>
    public ulong Cas { get; init; }

    /// <summary>The connection that told the CAS; the address where servers are shared.</summary>
    public object? Origin { get; init; }

    /// <summary>Who is to make the value, where it was asked for with a lease.</summary>
    public LeaseState Lease { get; init; }

    /// <summary>An item that was asked for with a lease is there and must not be read.</summary>
    public bool IsUnreadable { get; init; }

    /// <summary>Somebody has marked the item as old.</summary>
    public bool IsStale { get; init; }

    /// <summary>The item had been read since it was stored, before this read. False where the server does not tell.</summary>
    public bool WasHitBefore { get; init; }

    /// <summary>Seconds since the item was last read or touched, -1 where the server does not tell.</summary>
    public int LastAccess { get; init; }

    /// <summary>It was read in the place of a node that is down.</summary>
    public bool IsOfGutter { get; init; }

    /// <summary>The state that was told.</summary>
    public CasToken CasToken => new(Cas, Origin);

    /// <summary>The value without its prefix, if one was read.</summary>
    public byte[]? Value { get; init; }

    /// <summary>The entry's prefix (see <see cref="ValuePrefix"/>), read as a big-endian number.</summary>
    public long Prefix { get; init; }

    /// <summary>The number that an increment or decrement has made. It lies where <see cref="Prefix"/> does: no result has both.</summary>
    public ulong Number
    {
        get => (ulong)Prefix;
        init => Prefix = (long)value;
    }

    /// <summary>Why there is no answer.</summary>
    public OperationFailure? Failure { get; init; }

    /// <summary>A result without a value.</summary>
    public static OperationResult Of(ResultStatus status) => new() { Status = status };

    /// <summary>A failed result.</summary>
    public static OperationResult Failed(OperationFailure failure) => new() { Status = ResultStatus.Failed, Failure = failure };
}
