namespace MemcachedDistributedCache.Embedded.Storage;

[Flags]
internal enum ItemMarks
{
    None = 0,

    /// <summary>Fetched at least once since it was stored.</summary>
    Fetched = 1,

    /// <summary>Marked stale by <c>md … I</c> or stored stale by <c>ms … I</c>: readers get <c>X</c>.</summary>
    Stale = 2,

    /// <summary>Somebody was told <c>W</c> and recaches it: later readers get <c>Z</c>.</summary>
    TokenSent = 4,

    /// <summary>Stored under a base64 key, so the key is printed as base64.</summary>
    BinaryKey = 8,
}

/// <summary>One entry. Values are never changed in place, so a reply may copy one without holding the store.</summary>
internal sealed class Item(byte[] key, byte[] value, uint clientFlags, uint expires)
{
    private const int HeaderBytes = 48;
    private const int CasBytes = 8;
    private const int FlagBytes = 4;
    private const int LineEndBytes = 2;

    public byte[] Key { get; } = key;

    public byte[] Value { get; set; } = value;

    public uint ClientFlags { get; } = clientFlags;

    /// <summary>The second of the server's clock at which it expires; 0 is never.</summary>
    public uint Expires { get; set; } = expires;

    public uint LastAccess { get; set; }

    public ulong Cas { get; set; }

    public ItemMarks Marks { get; set; }

    public bool Linked { get; set; }

    public Item? Newer { get; set; }

    public Item? Older { get; set; }

    public int TotalBytes => Size(Key.Length, ClientFlags, Value.Length);

    public bool Has(ItemMarks mark) => (Marks & mark) != ItemMarks.None;

    /// <summary>
    /// The bytes that memcached would take for it, which its limits count: header, CAS, key and NUL, flags where set, value
    /// and CR LF.
    /// </summary>
    public static int Size(int keyBytes, uint clientFlags, int valueBytes)
        => HeaderBytes + CasBytes + keyBytes + 1 + (clientFlags == 0 ? 0 : FlagBytes) + valueBytes + LineEndBytes;
}
