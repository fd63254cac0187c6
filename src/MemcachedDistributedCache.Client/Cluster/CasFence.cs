namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// A moment in the life of a server, told by the number (CAS) that its newest item had then. What it had stored by that moment is not read for
/// the purpose that the fence stands for.
/// </summary>
internal sealed class CasFence
{
    private const ulong Unknown = ulong.MaxValue;
    private ulong _value;

    /// <summary>Admits nothing, and is never raised: stands for a fence that is not there yet.</summary>
    public static CasFence Closed { get; } = NewClosed();

    /// <summary>Whether there is anything that it does not admit.</summary>
    public bool IsSet => Volatile.Read(ref _value) != 0;

    /// <summary>One that admits nothing until it is raised.</summary>
    public static CasFence NewClosed() => new() { _value = Unknown };

    /// <summary>Whether an item may be read.</summary>
    public bool Admits(ulong cas) => cas > Volatile.Read(ref _value);

    /// <summary>Which request it was for; guarded by the keeper's lock, as is all below.</summary>
    internal int Version { get; private set; }

    /// <summary>Whether the number is still to be asked for.</summary>
    internal bool IsWanted { get; private set; }

    /// <summary>Whether the server may have restarted since.</summary>
    internal bool NeedsCheck { get; private set; }

    /// <summary>Whether an item's number decides about it, or will when the server's is known.</summary>
    internal bool IsInForce => IsWanted || _value is not (0 or Unknown);

    /// <summary>Admits nothing until the number is known.</summary>
    internal void Forget_NeedsLock(bool ask)
    {
        Version++;
        IsWanted = ask;
        NeedsCheck = false;
        Volatile.Write(ref _value, Unknown);
    }

    /// <summary>A connection was opened: the server behind it may be one that counts from the beginning, and what the other said is void.</summary>
    internal void RequireCheck_NeedsLock()
    {
        Version++;
        NeedsCheck = !IsWanted && IsInForce;
    }

    /// <summary>The server's number of now; 0 from one that does not count, of which nothing can be told apart.</summary>
    internal void Settle_NeedsLock(int version, ulong cas)
    {
        if (version != Version)
        {
            return;
        }

        if (IsWanted && cas != 0)
        {
            Volatile.Write(ref _value, cas);
        }
        else if (NeedsCheck && cas <= _value)
        {
            // It has lost what was not to be read, and new items must not pass for old ones.
            Volatile.Write(ref _value, 0);
        }

        IsWanted = false;
        NeedsCheck = false;
    }
}
