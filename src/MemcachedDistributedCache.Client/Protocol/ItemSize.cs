namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// The room that an item takes of memcached's <c>item_size_max</c>. Found by bisection against memcached 1.6.18: a 48-byte
/// header, 8 bytes of CAS, the key and a NUL, 4 bytes of client flags where they are not zero, and the value with its <c>\r\n</c>.
/// </summary>
internal static class ItemSize
{
    private const int Header = 48 + 8 + 1 + 2;
    private const int FlagsLength = 4;

    /// <summary>The longest value that fits, or a negative number where not even an empty one does.</summary>
    public static int MaximumValueLength(int itemSizeMax, int keyLength, uint flags)
        => itemSizeMax - Header - keyLength - (flags == 0 ? 0 : FlagsLength);
}
