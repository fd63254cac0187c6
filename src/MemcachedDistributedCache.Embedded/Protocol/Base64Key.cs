using System.Buffers.Text;

namespace MemcachedDistributedCache.Embedded.Protocol;

/// <summary>
/// Binary keys travel as base64. memcached skips bytes outside the alphabet, counts <c>=</c> as a digit and stops after the
/// first padded group, so the framework's strict decoder will not do for reading.
/// </summary>
internal static class Base64Key
{
    /// <summary>Decodes into <paramref name="key"/> (which needs three quarters of the text's length); 0 bytes means malformed.</summary>
    public static int Decode(ReadOnlySpan<byte> text, Span<byte> key)
    {
        int digits = 0;
        foreach (byte c in text)
        {
            digits += Value(c) < 0 ? 0 : 1;
        }

        if (digits == 0 || digits % 4 != 0)
        {
            return 0;
        }

        int written = 0;
        int pads = 0;
        int held = 0;
        int bits = 0;
        foreach (byte c in text)
        {
            int value = Value(c);
            if (value < 0)
            {
                continue;
            }

            pads += c == '=' ? 1 : 0;
            bits = (bits << 6) | value;
            if (++held < 4)
            {
                continue;
            }

            if (pads > 2)
            {
                return 0;
            }

            key[written++] = (byte)(bits >> 16);
            key[written++] = (byte)(bits >> 8);
            key[written++] = (byte)bits;
            written -= pads;
            if (pads > 0)
            {
                break;
            }

            held = 0;
            bits = 0;
        }

        return written;
    }

    public static void Encode(ReadOnlySpan<byte> key, ReplyBuffer reply)
    {
        Span<byte> text = stackalloc byte[Base64.GetMaxEncodedToUtf8Length(key.Length)];
        Base64.EncodeToUtf8(key, text, out _, out int written);
        reply.Append(text[..written]);
    }

    private static int Value(byte c) => c switch
    {
        >= (byte)'A' and <= (byte)'Z' => c - 'A',
        >= (byte)'a' and <= (byte)'z' => c - 'a' + 26,
        >= (byte)'0' and <= (byte)'9' => c - '0' + 52,
        (byte)'+' => 62,
        (byte)'/' => 63,
        (byte)'=' => 0,
        _ => -1,
    };
}
