namespace MemcachedDistributedCache.Embedded.Protocol;

/// <summary>
/// Numbers as memcached reads them, which is as C's <c>strtol</c> family does: leading white space and a sign are
/// fine, white space or NUL ends the number, and 32-bit targets keep the low bits. Clients depend on none of it on purpose,
/// but a substitute that is stricter hides their bugs, and one that is laxer invents them.
/// </summary>
internal static class CNumber
{
    /// <summary><c>[ws] [+-] 1*digit ( end / ws / NUL )</c>, at most 64 bits; "-" is refused where the result looks negative.</summary>
    public static bool TryUInt64(ReadOnlySpan<byte> text, out ulong value)
    {
        value = 0;
        if (!TryMagnitude(text, out ulong magnitude, out bool negative))
        {
            return false;
        }

        ulong wrapped = negative ? 0 - magnitude : magnitude;
        if ((long)wrapped < 0 && CommandLine.UntilNul(text).Contains((byte)'-'))
        {
            return false;
        }

        value = wrapped;
        return true;
    }

    public static bool TryUInt32(ReadOnlySpan<byte> text, out uint value)
    {
        bool read = TryUInt64(text, out ulong wide);
        value = unchecked((uint)wide);
        return read;
    }

    public static bool TryInt32(ReadOnlySpan<byte> text, out int value)
    {
        value = 0;
        if (!TryMagnitude(text, out ulong magnitude, out bool negative)
            || magnitude > (negative ? 1UL << 63 : long.MaxValue))
        {
            return false;
        }

        value = unchecked((int)(negative ? 0 - magnitude : magnitude));
        return true;
    }

    private static bool TryMagnitude(ReadOnlySpan<byte> text, out ulong magnitude, out bool negative)
    {
        magnitude = 0;
        negative = false;
        int at = 0;
        while (at < text.Length && IsSpace(text[at]))
        {
            at++;
        }

        if (at < text.Length && text[at] is (byte)'+' or (byte)'-')
        {
            negative = text[at++] == '-';
        }

        int digits = at;
        for (; at < text.Length && char.IsAsciiDigit((char)text[at]); at++)
        {
            ulong digit = (ulong)(text[at] - '0');
            if (magnitude > (ulong.MaxValue - digit) / 10)
            {
                return false;
            }

            magnitude = (magnitude * 10) + digit;
        }

        return at > digits && (at == text.Length || text[at] == 0 || IsSpace(text[at]));
    }

    private static bool IsSpace(byte c) => c is (byte)' ' or (>= 9 and <= 13);
}
