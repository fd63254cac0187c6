using System.Text;

namespace MemcachedDistributedCache.Protocol.Classic;

/// <summary>
/// Reads one line of a classic reply, without its <c>\r\n</c>. Anything that a server has no reason to say is
/// refused, not skipped.
/// </summary>
internal static class ClassicReplyParser
{
    private const int LongestNumber = 20;

    /// <summary>
    /// <c>VALUE &lt;key&gt; &lt;flags:u64|i32&gt; &lt;length:u31&gt; [&lt;cas:u64&gt;]</c> | <c>END</c> | <c>STORED</c> |
    /// <c>NOT_STORED</c> | <c>EXISTS</c> | <c>NOT_FOUND</c> | <c>DELETED</c> | <c>TOUCHED</c> | <c>VERSION
    /// &lt;text&gt;</c> | <c>&lt;number:u64&gt;</c> | <c>SERVER_ERROR[ &lt;text&gt;]</c> | <c>CLIENT_ERROR[ &lt;text&gt;]</c> |
    /// <c>ERROR[ &lt;text&gt;]</c>, with one space between two words.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> line, out ClassicReply reply)
    {
        reply = default;
        if (line.StartsWith("VALUE "u8))
        {
            return TryReadItem(line["VALUE "u8.Length..], ref reply);
        }

        if (TryReadWord(line, out reply.Line) || TryReadNumber(line, ref reply))
        {
            return true;
        }

        if (line.SequenceEqual(MetaReplyParser.NotNumeric))
        {
            return Is(ref reply, ClassicLine.NotNumeric);
        }

        return MetaReplyParser.IsError(line)
            && Is(ref reply, line.StartsWith("SERVER_ERROR"u8) ? ErrorOf(line) : ClassicLine.NotUnderstood);
    }

    private static bool TryReadWord(ReadOnlySpan<byte> line, out ClassicLine word)
    {
        word = line.Length switch
        {
            3 when line.SequenceEqual("END"u8) => ClassicLine.End,
            6 when line.SequenceEqual("STORED"u8) => ClassicLine.Stored,
            6 when line.SequenceEqual("EXISTS"u8) => ClassicLine.Exists,
            7 when line.SequenceEqual("DELETED"u8) => ClassicLine.Deleted,
            7 when line.SequenceEqual("TOUCHED"u8) => ClassicLine.Touched,
            9 when line.SequenceEqual("NOT_FOUND"u8) => ClassicLine.NotFound,
            10 when line.SequenceEqual("NOT_STORED"u8) => ClassicLine.NotStored,
            > 8 when line.StartsWith("VERSION "u8) => ClassicLine.Version,

            // Not a word by itself: nothing was found.
            _ => ClassicLine.Value,
        };
        return word != ClassicLine.Value;
    }

    private static bool TryReadNumber(ReadOnlySpan<byte> line, ref ClassicReply reply)
        => line.Length is > 0 and <= LongestNumber
            && WireNumber.TryRead(ref line, ulong.MaxValue, out reply.Number)
            && line.IsEmpty
            && Is(ref reply, ClassicLine.Number);

    private static bool TryReadItem(ReadOnlySpan<byte> rest, ref ClassicReply reply)
    {
        int space = rest.IndexOf((byte)' ');
        if (space <= 0)
        {
            return false;
        }

        reply.Key = rest[..space];
        rest = rest[(space + 1)..];
        if (!TryReadFlags(ref rest, out reply.Flags)
            || !TrySkipSpace(ref rest)
            || !WireNumber.TryRead(ref rest, int.MaxValue, out ulong length))
        {
            return false;
        }

        reply.Length = (int)length;
        return rest.IsEmpty || (TrySkipSpace(ref rest) && WireNumber.TryRead(ref rest, ulong.MaxValue, out reply.Cas) && rest.IsEmpty);
    }

    /// <summary>
    /// Reads client flags. 1.4.15 writes those with the highest bit as a negative number. A server may be built with flags of 64 bits;
    /// these are another client's, and no format of ours is marked as the largest of 32 bits is.
    /// </summary>
    private static bool TryReadFlags(scoped ref ReadOnlySpan<byte> rest, out uint flags)
    {
        bool isNegative = rest.StartsWith("-"u8);
        rest = isNegative ? rest[1..] : rest;
        bool isRead = WireNumber.TryRead(ref rest, isNegative ? 1u << 31 : ulong.MaxValue, out ulong number);
        flags = isNegative ? unchecked((uint)-(long)number) : (uint)Math.Min(number, uint.MaxValue);
        return isRead;
    }

    private static bool TrySkipSpace(scoped ref ReadOnlySpan<byte> rest)
    {
        bool isSpace = !rest.IsEmpty && rest[0] == ' ';
        rest = isSpace ? rest[1..] : rest;
        return isSpace;
    }

    private static ClassicLine ErrorOf(ReadOnlySpan<byte> line)
    {
        ReadOnlySpan<byte> memory = "SERVER_ERROR out of memory"u8;
        return line.SequenceEqual("SERVER_ERROR object too large for cache"u8) ? ClassicLine.TooLarge
            : line.Length >= memory.Length && Ascii.EqualsIgnoreCase(line[..memory.Length], memory) ? ClassicLine.OutOfMemory
            : ClassicLine.ServerError;
    }

    private static bool Is(ref ClassicReply reply, ClassicLine line)
    {
        reply.Line = line;
        return true;
    }
}
