namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Which items of a server may be read. A server numbers its items' states one after the other (CAS), so everything that it stored up to a
/// moment can be told by one number, and left unread.
/// </summary>
internal sealed class ItemTrust
{
    private long _floor;

    /// <summary>Items up to this CAS are not read; 0 when all are.</summary>
    public ulong Floor
    {
        get => unchecked((ulong)Volatile.Read(ref _floor));
        set => Volatile.Write(ref _floor, unchecked((long)value));
    }
}
