using System.Text;

namespace MemcachedDistributedCache.Protocol;

/// <summary>Reads one reply line, without its <c>\r\n</c>. Anything that a server has no reason to say is refused, not skipped.</summary>
internal static class MetaReplyParser
{
    /// <summary>The answer to an increment of what is no number, in 1.4.15 to 1.6.x and both dialects.</summary>
    public static ReadOnlySpan<byte> NotNumeric => "CLIENT_ERROR cannot increment or decrement non-numeric value"u8;

    /// <summary>
    /// <c>VA &lt;length&gt; [flag]*</c> | <c>HD|OK|EN|NF|NS|EX [flag]*</c> | <c>MN</c> |
    /// <c>ERROR|CLIENT_ERROR|SERVER_ERROR[ &lt;text&gt;]</c>; flag: <c>c&lt;u64&gt;</c> | <c>f&lt;u64&gt;</c> |
    /// <c>t&lt;u32&gt;</c> | <c>t-1</c> | <c>s&lt;u31&gt;</c> | <c>h0</c> | <c>h1</c> | <c>l&lt;u32&gt;</c> |
    /// <c>O&lt;u32&gt;</c> | <c>W</c> | <c>X</c> | <c>Z</c>, each after spaces; the last three come unasked, with items that a client has leased or marked as old. Numbers are read as far as
    /// memcached can say them, for whoever may write an item chooses some of them; what is more than we can use is read
    /// as the largest that we can.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> line, out MetaReply reply)
    {
        reply = new MetaReply { LastAccess = -1 };
        if (line.Length < 2)
        {
            return false;
        }

        switch ((line[0] << 8) | line[1])
        {
            case ('V' << 8) | 'A':
                reply.Code = ReplyCode.Value;
                if (line.Length < 4 || line[2] != ' ')
                {
                    return false;
                }

                line = line[3..];
                return WireNumber.TryRead(ref line, int.MaxValue, out ulong length)
                    && TryReadFlags(line, ref reply)
                    && Set(ref reply.Length, (int)length);
            case ('H' << 8) | 'D':
                reply.Code = ReplyCode.Done;
                break;
            case ('O' << 8) | 'K':
                // What HD was called before 1.6.10, and is with "-o meta_response_old" up to 1.6.17.
                reply.Code = ReplyCode.Done;
                break;
            case ('E' << 8) | 'N':
                reply.Code = ReplyCode.Miss;
                break;
            case ('N' << 8) | 'F':
                reply.Code = ReplyCode.NotFound;
                break;
            case ('N' << 8) | 'S':
                reply.Code = ReplyCode.NotStored;
                break;
            case ('E' << 8) | 'X':
                reply.Code = ReplyCode.Exists;
                break;
            case ('M' << 8) | 'N':
                reply.Code = ReplyCode.NoOp;
                return line.Length == 2;
            default:
                return TryParseError(line, ref reply);
        }

        return TryReadFlags(line[2..], ref reply);
    }

    /// <summary>
    /// The texts are those of memcached 1.6.10 to 1.6.45, which spell "out of memory" in two ways;
    /// docs/adr/0017-error-lines.md lists them.
    /// </summary>
    private static bool TryParseError(ReadOnlySpan<byte> line, ref MetaReply reply)
    {
        if (!IsError(line))
        {
            return false;
        }

        ReadOnlySpan<byte> memory = "SERVER_ERROR out of memory"u8;
        reply.Code = line.SequenceEqual("SERVER_ERROR object too large for cache"u8) ? ReplyCode.TooLarge
            : line.Length >= memory.Length && Ascii.EqualsIgnoreCase(line[..memory.Length], memory) ? ReplyCode.OutOfMemory
            : line.SequenceEqual(NotNumeric) ? ReplyCode.NotNumeric
            : ReplyCode.Error;
        return true;
    }

    /// <summary>
    /// A line tells of an error, as memcached and the proxies before it write them: the word, and perhaps a text behind
    /// it.
    /// </summary>
    public static bool IsError(ReadOnlySpan<byte> line)
    {
        int word = line.IndexOfAny((byte)' ', (byte)':');
        ReadOnlySpan<byte> name = word < 0 ? line : line[..word];
        return name.SequenceEqual("ERROR"u8) || name.SequenceEqual("CLIENT_ERROR"u8) || name.SequenceEqual("SERVER_ERROR"u8);
    }

    private static bool TryReadFlags(ReadOnlySpan<byte> rest, ref MetaReply reply)
    {
        while (!rest.IsEmpty)
        {
            // Servers before 1.6.18 put two spaces before a flag here and there, and leave one at the end.
            ReadOnlySpan<byte> flags = rest.TrimStart((byte)' ');
            if (flags.Length == rest.Length)
            {
                return false;
            }

            if (flags.IsEmpty)
            {
                return true;
            }

            rest = flags;

            byte flag = rest[0];
            rest = rest[1..];
            switch (flag)
            {
                case (byte)'O':
                    if (reply.HasOpaque || !WireNumber.TryRead(ref rest, uint.MaxValue, out ulong opaque))
                    {
                        return false;
                    }

                    reply.Opaque = (uint)opaque;
                    reply.HasOpaque = true;
                    break;
                case (byte)'c':
                    if (!WireNumber.TryRead(ref rest, ulong.MaxValue, out reply.Cas))
                    {
                        return false;
                    }

                    break;
                case (byte)'f':
                    // A server may be built with flags of 64 bits. Ours have 32; these are another client's, and no
                    // format of ours is marked as the largest is.
                    if (!WireNumber.TryRead(ref rest, ulong.MaxValue, out ulong clientFlags))
                    {
                        return false;
                    }

                    reply.Flags = (uint)Math.Min(clientFlags, uint.MaxValue);
                    break;
                case (byte)'W' or (byte)'Z':
                    reply.IsLeased = true;
                    reply.IsWon |= flag == (byte)'W';
                    break;
                case (byte)'X':
                    reply.IsStale = true;
                    break;
                case (byte)'s':
                    // Behind a value's line it could only say what that says.
                    if (reply.Code == ReplyCode.Value || !WireNumber.TryRead(ref rest, int.MaxValue, out ulong size))
                    {
                        return false;
                    }

                    reply.Length = (int)size;
                    break;
                case (byte)'h':
                    if (!WireNumber.TryRead(ref rest, 1, out ulong hit))
                    {
                        return false;
                    }

                    reply.WasHit = hit == 1;
                    break;
                case (byte)'l':
                    if (!WireNumber.TryRead(ref rest, uint.MaxValue, out ulong sinceAccess))
                    {
                        return false;
                    }

                    reply.LastAccess = (int)Math.Min(sinceAccess, int.MaxValue);
                    break;
                case (byte)'t':
                    bool never = rest.StartsWith("-"u8);
                    rest = never ? rest[1..] : rest;
                    if (!WireNumber.TryRead(ref rest, uint.MaxValue, out ulong seconds) || (never && seconds != 1))
                    {
                        return false;
                    }

                    reply.TimeToLive = never ? -1 : (int)Math.Min(seconds, int.MaxValue);
                    break;
                default:
                    return false;
            }
        }

        return true;
    }

    private static bool Set(ref int field, int value)
    {
        field = value;
        return true;
    }
}
