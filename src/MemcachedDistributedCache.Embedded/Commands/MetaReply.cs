using MemcachedDistributedCache.Embedded.Protocol;
using MemcachedDistributedCache.Embedded.Storage;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>The pieces of a meta reply: <c>SP flag [token]</c>.</summary>
internal static class MetaReply
{
    public static ReadOnlySpan<byte> OpaqueTooLong => "CLIENT_ERROR opaque token too long"u8;

    public static void Number(ReplyBuffer reply, byte flag, ulong number)
    {
        Flag(reply, flag);
        reply.Append(number);
    }

    public static void Flag(ReplyBuffer reply, byte flag)
    {
        reply.Append((byte)' ');
        reply.Append(flag);
    }

    /// <summary><c>SP "k" key</c>, and <c>SP "b"</c> behind a key in base64.</summary>
    public static void Key(ReplyBuffer reply, ReadOnlySpan<byte> key, bool binary)
    {
        Flag(reply, (byte)'k');
        if (binary)
        {
            Base64Key.Encode(key, reply);
            Flag(reply, (byte)'b');
        }
        else
        {
            reply.Append(key);
        }
    }

    /// <summary>
    /// Seconds left, −1 for never. An item that a request let expire just now shows a wrapped 32-bit number, as in
    /// memcached.
    /// </summary>
    public static void TimeLeft(ReplyBuffer reply, Item item, uint now)
    {
        if (item.Expires == 0)
        {
            reply.Append(" t-1"u8);
        }
        else
        {
            Number(reply, (byte)'t', unchecked(item.Expires - now));
        }
    }

    /// <summary>Copies the opaque, flag letter included; false where it is too long.</summary>
    public static bool TryOpaque(ReplyBuffer reply, ReadOnlySpan<byte> token)
    {
        if (token.Length > MetaFlags.MaximumOpaqueBytes)
        {
            return false;
        }

        reply.Append((byte)' ');
        reply.Append(token);
        return true;
    }

    /// <summary>Appends what every reply may mirror without an item, opaque and key; false where the opaque is too long.</summary>
    public static bool TryMirror(ReplyBuffer reply, in CommandLine line, in MetaFlags flags)
    {
        for (int i = 2; i < line.Count; i++)
        {
            if (line[i][0] == 'O' && !TryOpaque(reply, line[i]))
            {
                return false;
            }

            if (line[i][0] == 'k')
            {
                Key(reply, flags.Key, flags.BinaryKey);
            }
        }

        return true;
    }
}
