namespace MemcachedDistributedCache.Embedded;

/// <summary>
/// The fault of the bytes of one direction. The parts combine, in this order: stall and delay, <see cref="Insert"/>,
/// <see cref="Replace"/>, <see cref="CorruptByteAt"/>, <see cref="Duplicate"/>, <see cref="CutAfterBytes"/>, drip. Nothing is random.
/// Positions count the bytes of a connection in this direction since the fault was applied to it, before insertion and duplication
/// for <see cref="CorruptByteAt"/>, after them for <see cref="CutAfterBytes"/>.
/// </summary>
public sealed record StreamFault
{
    /// <summary>Bytes pass untouched.</summary>
    public static StreamFault None { get; } = new();

    /// <summary>How long each piece read from the sender (at most 64 KiB) is held. Default 0; at least 0.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>
    /// Nothing is forwarded until another fault is applied; one piece is held, the rest waits in the kernel. Default
    /// false.
    /// </summary>
    public bool Stall { get; init; }

    /// <summary>
    /// After so many bytes the connection ends, on both sides. Default null: never; at least 0, which ends it at the
    /// first byte.
    /// </summary>
    public long? CutAfterBytes { get; init; }

    /// <summary>A cut is a reset (RST) instead of an orderly end (FIN). Default false.</summary>
    public bool ResetOnCut { get; init; }

    /// <summary>Bytes sent once on each connection before its next genuine byte. Default none.</summary>
    public ReadOnlyMemory<byte> Insert { get; init; }

    /// <summary>Bytes that, repeated, take the place of the genuine ones; the length stays. Default none.</summary>
    public ReadOnlyMemory<byte> Replace { get; init; }

    /// <summary>The position of one byte whose bits are inverted. Default null: none; at least 0.</summary>
    public long? CorruptByteAt { get; init; }

    /// <summary>Each piece is sent twice. A reply that arrives in one piece arrives twice. Default false.</summary>
    public bool Duplicate { get; init; }

    /// <summary>How many bytes go at once in a slow drip; <see cref="DripInterval"/> passes after each. Default 0: no drip.</summary>
    public int DripBytes { get; init; }

    /// <summary>The time between two drips. Default 0; matters only with <see cref="DripBytes"/>.</summary>
    public TimeSpan DripInterval { get; init; }

    internal void Validate(string direction)
    {
        Require(Delay >= TimeSpan.Zero, nameof(Delay), Delay, "use zero or more");
        Require(CutAfterBytes is null or >= 0, nameof(CutAfterBytes), CutAfterBytes, "use null for never, or zero or more");
        Require(CorruptByteAt is null or >= 0, nameof(CorruptByteAt), CorruptByteAt, "use null for none, or zero or more");
        Require(DripBytes >= 0, nameof(DripBytes), DripBytes, "use zero for no drip, or more");
        Require(DripInterval >= TimeSpan.Zero, nameof(DripInterval), DripInterval, "use zero or more");

        void Require(bool holds, string option, object? value, string remedy)
        {
            if (!holds)
            {
                throw new ArgumentException($"{nameof(Fault)}.{direction}.{option} is {value}: {remedy}.", option);
            }
        }
    }
}
