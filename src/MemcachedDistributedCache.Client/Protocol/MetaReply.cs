namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// The two-letter code at the start of a reply, and the error lines that stand for a reply. The order counts: those
/// without a token come last, error lines behind <see cref="NoOp"/>.
/// </summary>
internal enum ReplyCode : byte
{
    /// <summary><c>VA</c>: a value follows.</summary>
    Value,

    /// <summary><c>HD</c>: done; or found, where no value was asked for.</summary>
    Done,

    /// <summary><c>EN</c>: a miss.</summary>
    Miss,

    /// <summary><c>NF</c>: the item to change or delete is not there.</summary>
    NotFound,

    /// <summary><c>NS</c>: not stored.</summary>
    NotStored,

    /// <summary><c>EX</c>: the CAS did not match.</summary>
    Exists,

    /// <summary><c>MN</c>: the answer to <c>mn</c>.</summary>
    NoOp,

    /// <summary>Never on the wire: the server's dialect has no command for what was asked.</summary>
    Unsupported,

    /// <summary><c>SERVER_ERROR object too large for cache</c>.</summary>
    TooLarge,

    /// <summary><c>SERVER_ERROR out of memory …</c>, whatever it was needed for: nothing was done, and no second line follows.</summary>
    OutOfMemory,

    /// <summary><c>CLIENT_ERROR cannot increment or decrement non-numeric value</c>: it was read, and no second line follows.</summary>
    NotNumeric,

    /// <summary>Any other <c>ERROR</c>, <c>CLIENT_ERROR</c> or <c>SERVER_ERROR</c>.</summary>
    Error,
}

/// <summary>The content of a reply line. A field that the line does not carry has its default.</summary>
internal struct MetaReply
{
    /// <summary>The outcome.</summary>
    public ReplyCode Code;

    /// <summary>Somebody has marked the item as old (<c>X</c>).</summary>
    public bool IsStale;

    /// <summary>Somebody is to make the item's value anew (<c>W</c> for the one who asks, <c>Z</c> for another).</summary>
    public bool IsLeased;

    /// <summary>It is the one who asks (<c>W</c>).</summary>
    public bool IsWon;

    /// <summary>The line carries an opaque token.</summary>
    public bool HasOpaque;

    /// <summary>The request's token (<c>O</c>).</summary>
    public uint Opaque;

    /// <summary>The length of the data block that follows a <see cref="ReplyCode.Value"/> line; elsewhere of the item's (<c>s</c>).</summary>
    public int Length;

    /// <summary>The item has been read since it was stored (<c>h</c>).</summary>
    public bool WasHit;

    /// <summary>The seconds since it was last read or touched (<c>l</c>), -1 where the line does not tell.</summary>
    public int LastAccess;

    /// <summary>The number that a classic increment has made. A meta one brings it as its value.</summary>
    public ulong Number;

    /// <summary>The client flags (<c>f</c>).</summary>
    public uint Flags;

    /// <summary>The number of the item's state (<c>c</c>).</summary>
    public ulong Cas;

    /// <summary>The remaining seconds (<c>t</c>), -1 for an item that never expires.</summary>
    public int TimeToLive;
}
