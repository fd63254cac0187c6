namespace MemcachedDistributedCache.Protocol.Classic;

/// <summary>The parts of which the reply to a classic request consists, in this order.</summary>
[Flags]
internal enum ClassicParts : byte
{
    /// <summary>The request changes nothing and asks for nothing.</summary>
    None = 0,

    /// <summary>One line, the answer to a command that changes something, or to <c>version</c>.</summary>
    Line = 1,

    /// <summary>The answer to <c>gets</c>: an item, or <c>END</c> alone.</summary>
    Item = 2,

    /// <summary>The item's value is wanted. Without this only flags and CAS are, and the value is read over.</summary>
    Value = 4,

    /// <summary>The line is the answer to a <c>cas</c> that makes the item expire (<see cref="ClassicRequests.WriteExpiry"/>).</summary>
    Expiry = 8,

    /// <summary>The line is the answer to an <c>add</c>, which may say <c>NOT_STORED</c>.</summary>
    Add = 16,

    /// <summary>The line is the answer to a <c>cas</c>, which may say <c>EXISTS</c> or <c>NOT_FOUND</c>.</summary>
    Cas = 32,

    /// <summary>The line is the answer to a <c>version</c> in the place of what no classic command does.</summary>
    Unsupported = 64,
}

/// <summary>The marks by which the reply to a classic request is known, as it carries no token.</summary>
/// <param name="key">The key that must stand behind <c>VALUE</c>.</param>
/// <param name="parts">Of which the reply consists.</param>
/// <param name="ownFlags">The client flags of the item that the request stores, by which it is told from those of others.</param>
/// <param name="ownLength">The length of that item's data.</param>
internal readonly ref struct ClassicExpectation(WireKey key, ClassicParts parts, uint ownFlags = 0, int ownLength = 0)
{
    private readonly WireKey _key = key;

    /// <summary>The key that must stand behind <c>VALUE</c>.</summary>
    public ReadOnlySpan<byte> Key => _key;

    /// <summary>Of which the reply consists.</summary>
    public ClassicParts Parts => parts;

    /// <summary>The client flags of the item that the request stores.</summary>
    public uint OwnFlags => ownFlags;

    /// <summary>The length of that item's data.</summary>
    public int OwnLength => ownLength;
}
