namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Which items of a server may be read. A server numbers its items' states one after the other (CAS), so everything that it stored up to a
/// moment can be told by one number, and left unread.
/// </summary>
internal sealed class NodeFence
{
    /// <summary>Stands for a fence that is still to be found: nothing is read.</summary>
    public const ulong Unknown = ulong.MaxValue;

    private long _value;

    /// <summary>Items up to this CAS are not read; 0 when all are.</summary>
    public ulong Value
    {
        get => unchecked((ulong)Volatile.Read(ref _value));
        set => Volatile.Write(ref _value, unchecked((long)value));
    }

    /// <summary>Whether an item is of a time from which nothing is read; one that was asked for before that was known has no CAS, and counts as such.</summary>
    public bool Excludes(ulong cas)
    {
        ulong value = Value;
        return value != 0 && cas <= value;
    }
}
