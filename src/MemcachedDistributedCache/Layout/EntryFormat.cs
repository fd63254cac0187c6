using System.Buffers.Binary;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Layout;

/// <summary>
/// How an entry lies in memcached, version 1.
/// <code>
/// client flags = 0              the value as it is; the default time to live applies. Any memcached client can read it.
/// client flags:  31..24  0xC5, the mark of this format and its version
///                23      a deadline stands before the value
///                22..20  kind of the value: 0 = bytes; 1 to 3 = see <see cref="EntryKind"/>; others are for later versions
///                19..16  e, and
///                15..0   m: the sliding window is m · 2^e seconds, rounded up; 0 = none. Of kinds 1 and 2 bits 19..0 are
///                        free: whoever stores an item puts a random number there, and readers pay it no attention
/// value:         [deadline: Unix time in milliseconds, 8 bytes, big-endian] bytes
/// </code>
/// The window stands in the flags because they can be read without the value: a refresh moves no bytes. The deadline is
/// exact to the millisecond, where the server's own clock ticks once a second.
/// </summary>
internal readonly struct EntryFormat
{
    private const uint Mark = 0xC5;
    private const uint DeadlineBit = 1u << 23;
    private const uint KindMask = 7u << 20;
    private const int MantissaBits = 16;

    /// <summary>68 years; a longer window is kept as this one.</summary>
    private const long LongestWindow = 0xFFFFL << 15;

    private EntryFormat(bool hasDeadline, long slidingSeconds)
    {
        HasDeadline = hasDeadline;
        SlidingSeconds = slidingSeconds;
    }

    /// <summary>A deadline stands before the value.</summary>
    public bool HasDeadline { get; }

    /// <summary>The sliding window in whole seconds, 0 for none.</summary>
    public long SlidingSeconds { get; }

    /// <summary>Makes client flags; 0 where neither is asked for.</summary>
    public static uint ToFlags(bool hasDeadline, long slidingSeconds)
    {
        if (!hasDeadline && slidingSeconds == 0)
        {
            return 0;
        }

        int exponent = 0;
        long mantissa = Math.Min(slidingSeconds, LongestWindow);
        while (mantissa >= 1 << MantissaBits)
        {
            mantissa = (mantissa + 1) >> 1;
            exponent++;
        }

        return (Mark << 24) | (hasDeadline ? DeadlineBit : 0) | ((uint)exponent << MantissaBits) | (uint)mantissa;
    }

    /// <summary>Reads client flags; false for those of another client or of a later version.</summary>
    public static bool TryRead(uint flags, out EntryFormat format)
    {
        format = default;
        if (flags == 0)
        {
            return true;
        }

        if (flags >> 24 != Mark || (flags & KindMask) != 0)
        {
            return false;
        }

        long window = (long)(flags & 0xFFFF) << (int)((flags >> MantissaBits) & 0xF);
        format = new EntryFormat((flags & DeadlineBit) != 0, window);
        return true;
    }

    /// <summary>The bits of the client flags of an item of the hybrid cache that its kind leaves free.</summary>
    public const uint FreeBits = (1u << 20) - 1;

    /// <summary>The client flags of an item of the hybrid cache.</summary>
    public static uint FlagsOf(EntryKind kind) => (Mark << 24) | ((uint)kind << 20);

    /// <summary>Client flags are those of such an item, whatever its free bits are.</summary>
    public static bool IsOf(uint flags, EntryKind kind) => (flags & ~FreeBits) == FlagsOf(kind);

    /// <summary>
    /// The client flags of such an item that is stored now. Its free bits are random: where the server does not tell the CAS of what it
    /// has stored, whoever stored it tells it from another's by them.
    /// </summary>
    public static uint NewFlagsOf(EntryKind kind)
    {
#pragma warning disable CA5394 // Two that are alike do harm only where one takes the place of the other between two commands of one packet.
        return FlagsOf(kind) | (uint)Random.Shared.Next((int)FreeBits + 1);
#pragma warning restore CA5394
    }

    /// <summary>A prefix stands before the value of an item with these flags.</summary>
    public static bool HasPrefix(uint flags) => TryRead(flags, out EntryFormat format) && format.HasDeadline;

    /// <summary>Writes the bytes before the value.</summary>
    public static ReadOnlySpan<byte> WritePrefix(Span<byte> destination, long deadline)
    {
        BinaryPrimitives.WriteInt64BigEndian(destination, deadline);
        return destination[..ValuePrefix.Length];
    }
}

/// <summary>The kinds of items that the hybrid cache keeps in memcached, in a key space of its own; to a plain read none of them is an entry.</summary>
internal enum EntryKind
{
    /// <summary>An entry, laid out as its own format says.</summary>
    HybridEntry = 1,

    /// <summary>The empty place of an entry whose value is being made, or of a lease.</summary>
    Lease = 2,

    /// <summary>The version of a tag.</summary>
    TagVersion = 3,
}
