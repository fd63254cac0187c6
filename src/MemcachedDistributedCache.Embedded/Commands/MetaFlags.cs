using MemcachedDistributedCache.Embedded.Protocol;

namespace MemcachedDistributedCache.Embedded.Commands;

/// <summary>
/// The flags of a meta command: <c>*( SP flag [token] )</c>, one letter each, none twice. All are read and checked before
/// anything is done; which of them mean something is for the command to say.
/// </summary>
internal ref struct MetaFlags
{
    public const int MaximumTokens = 19;
    public const int MaximumOpaqueBytes = 32;

    private readonly Span<byte> _decoded;
    private bool _badClientFlags;

    /// <param name="decoded">Room for a binary key.</param>
    public MetaFlags(Span<byte> decoded)
    {
        _decoded = decoded;
        Delta = 1;
    }

    public ReadOnlySpan<byte> Key { get; private set; }

    public bool BinaryKey { get; private set; }

    public bool WantsValue { get; private set; }

    public bool Quiet { get; private set; }

    public bool NoBump { get; private set; }

    public bool Invalidate { get; private set; }

    public bool Vivify { get; private set; }

    public bool HasTtl { get; private set; }

    public bool HasCas { get; private set; }

    public byte Mode { get; private set; }

    public uint Expires { get; private set; }

    public uint VivifyExpires { get; private set; }

    public uint RecacheBefore { get; private set; }

    public uint ClientFlags { get; private set; }

    public ulong Cas { get; private set; }

    public ulong Delta { get; private set; }

    public ulong Initial { get; private set; }

    /// <summary>Bumping waits until the reply is written, so that h, l and the rest show the item as it was.</summary>
    public bool LateBump { get; private set; }

    /// <summary>Reads the flags from <paramref name="first"/> on; false with the line to answer.</summary>
    public bool TryRead(CommandContext context, in CommandLine line, int first, out ReadOnlySpan<byte> error)
    {
        Key = line[1];
        error = default;
        Span<bool> seen = stackalloc bool[127];
        seen.Clear();
        for (int i = first; i < line.Count; i++)
        {
            ReadOnlySpan<byte> token = line[i];
            byte flag = token[0];
            if (flag >= seen.Length || seen[flag])
            {
                error = "CLIENT_ERROR duplicate flag"u8;
                return false;
            }

            seen[flag] = true;
            ReadOnlySpan<byte> problem = ReadOne(context, flag, token[1..], out bool known);
            error = problem.IsEmpty ? error : problem;
            if (!known)
            {
                return false;
            }
        }

        if (error.IsEmpty && _badClientFlags)
        {
            error = "CLIENT_ERROR bad command line format"u8;
        }

        return error.IsEmpty;
    }

    private ReadOnlySpan<byte> ReadOne(CommandContext context, byte flag, ReadOnlySpan<byte> token, out bool known)
    {
        known = true;
        switch (flag)
        {
            case (byte)'b':
                BinaryKey = true;
                int count = Base64Key.Decode(Key, _decoded);
                Key = _decoded[..count];
                return count == 0 ? "CLIENT_ERROR error decoding key"u8 : default;
            case (byte)'N':
                Vivify = true;
                LateBump = true;
                bool timed = ReadTime(context, token, out uint vivify);
                VivifyExpires = vivify;
                return timed ? default : BadToken;
            case (byte)'T':
                LateBump = true;
                HasTtl = ReadTime(context, token, out uint expires);
                Expires = expires;
                return HasTtl ? default : BadToken;
            case (byte)'R':
                LateBump = true;
                bool read = ReadTime(context, token, out uint recache);
                RecacheBefore = recache;
                return read ? default : BadToken;
            case (byte)'C':
                HasCas = CNumber.TryUInt64(token, out ulong cas);
                Cas = cas;
                return HasCas ? default : BadToken;
            case (byte)'F':
                bool numeric = CNumber.TryUInt32(token, out uint flags);
                ClientFlags = flags;
                _badClientFlags |= !numeric;
                return default;
            case (byte)'M':
                Mode = token.Length == 1 ? token[0] : Mode;
                return token.Length == 1 ? default : "CLIENT_ERROR incorrect length for M token"u8;
            case (byte)'J':
                bool initial = CNumber.TryUInt64(token, out ulong first);
                Initial = first;
                return initial ? default : "CLIENT_ERROR invalid numeric initial value"u8;
            case (byte)'D':
                bool step = CNumber.TryUInt64(token, out ulong delta);
                Delta = delta;
                return step ? default : "CLIENT_ERROR invalid numeric delta value"u8;
            default:
                known = ReadSwitch(flag);
                return known ? default : "CLIENT_ERROR invalid flag"u8;
        }
    }

    private bool ReadSwitch(byte flag)
    {
        switch (flag)
        {
            case (byte)'v':
                WantsValue = true;
                break;
            case (byte)'q':
                Quiet = true;
                break;
            case (byte)'u':
                NoBump = true;
                break;
            case (byte)'I':
                Invalidate = true;
                break;
            case (byte)'h' or (byte)'l':
                LateBump = true;
                break;
            default:
                return "OPLkstcf"u8.Contains(flag);
        }

        return true;
    }

    private static ReadOnlySpan<byte> BadToken => "CLIENT_ERROR bad token in command line format"u8;

    private static bool ReadTime(CommandContext context, ReadOnlySpan<byte> token, out uint expires)
    {
        bool read = CNumber.TryInt32(token, out int time);
        expires = read ? context.Store.Clock.Expiry(time, context.Now) : 0;
        return read;
    }
}
