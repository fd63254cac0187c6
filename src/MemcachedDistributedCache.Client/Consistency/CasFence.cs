namespace MemcachedDistributedCache.Consistency;

/// <summary>
/// A moment in the life of a server, told by the CAS that its newest item had then. What the server had stored by that
/// moment is not read for the purpose that the fence stands for. A server numbers all its items in one sequence, so one
/// number tells everything older from everything newer; a list of keys, or times, would be larger and less exact.
/// <see cref="Admits"/> may be asked at any time; all changes are made under the lock of the <see cref="FenceKeeper"/>.
/// </summary>
internal sealed class CasFence
{
    private const ulong Unknown = ulong.MaxValue;
    private ulong _value;
    private bool _isUncounted;

    /// <summary>Admits nothing, for ever: stands for a fence that is not there yet.</summary>
    public static CasFence Closed { get; } = NewClosed();

    /// <summary>Items up to this CAS are not read; 0 when all are.</summary>
    public ulong Value => Volatile.Read(ref _value);

    /// <summary>There is something that the fence does not admit.</summary>
    public bool IsSet => Value != 0;

    /// <summary>The fence admits nothing.</summary>
    public bool IsClosed => Value == Unknown;

    /// <summary>Which request for a number is the latest; an answer to an earlier one does not count.</summary>
    internal int Version { get; private set; }

    /// <summary>The server's number is still to be asked for.</summary>
    internal bool IsWanted { get; private set; }

    /// <summary>The server may have restarted since the number was told.</summary>
    internal bool NeedsCheck { get; private set; }

    /// <summary>An item's CAS decides whether it is read, or will when the server's number is known.</summary>
    internal bool IsInForce => IsWanted || _value is not (0 or Unknown);

    /// <summary>A fence that admits nothing until it is renewed.</summary>
    public static CasFence NewClosed() => new() { _value = Unknown };

    /// <summary>
    /// Tells from an item's CAS that it may be read. An item whose CAS was not asked for, because no fence was set
    /// then, has 0 and may not.
    /// </summary>
    public bool Admits(ulong cas)
    {
        ulong value = Value;
        return value == 0 || cas > value;
    }

    /// <summary>Admits nothing until the number is known, which is asked for now or by a later renewal.</summary>
    internal void Close_NeedsLock(bool ask)
    {
        Version++;
        IsWanted = ask;
        NeedsCheck = false;
        _isUncounted = false;
        Volatile.Write(ref _value, Unknown);
    }

    /// <summary>Admits everything: no number tells old from new.</summary>
    internal void Open_NeedsLock()
    {
        Close_NeedsLock(ask: false);
        Volatile.Write(ref _value, 0);
    }

    /// <summary>
    /// A connection was opened: the server behind it may count from the beginning, and what another connection was told
    /// is void.
    /// </summary>
    internal void RequireCheck_NeedsLock()
    {
        Version++;

        // A server that did not count (-C) may have been started again as one that does.
        IsWanted |= _isUncounted;
        _isUncounted = false;
        NeedsCheck = !IsWanted && IsInForce;
    }

    /// <summary>
    /// Takes the server's number; 0 is one that does not count (-C), whose items cannot be told apart. True if the
    /// fence was renewed by it.
    /// </summary>
    internal bool Settle_NeedsLock(int version, ulong cas)
    {
        if (version != Version)
        {
            return false;
        }

        bool isRenewed = IsWanted && cas != 0;
        if (isRenewed)
        {
            Volatile.Write(ref _value, cas);
        }
        else if (NeedsCheck && cas <= _value)
        {
            // The server has lost what was not to be read, and new items must not pass for old ones.
            Volatile.Write(ref _value, 0);
        }

        _isUncounted = IsWanted && cas == 0;
        IsWanted = false;
        NeedsCheck = false;
        return isRenewed;
    }
}
