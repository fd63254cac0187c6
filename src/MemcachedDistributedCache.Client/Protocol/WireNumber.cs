namespace MemcachedDistributedCache.Protocol;

/// <summary>Reads the decimal numbers of reply lines.</summary>
internal static class WireNumber
{
    /// <summary>Reads digits up to the next space or the end, and leaves the rest.</summary>
    public static bool TryRead(scoped ref ReadOnlySpan<byte> text, ulong maximum, out ulong number)
    {
        number = 0;
        int i = 0;
        for (; i < text.Length && text[i] != ' '; i++)
        {
            uint digit = (uint)(text[i] - '0');
            if (digit > 9)
            {
                return false;
            }

            // Past 19 digits the product may not fit, and neither may what is added to it.
            if (number > ulong.MaxValue / 10)
            {
                return false;
            }

            number = (number * 10) + digit;
            if (number > maximum || number < digit)
            {
                return false;
            }
        }

        text = text[i..];
        return i > 0;
    }
}
