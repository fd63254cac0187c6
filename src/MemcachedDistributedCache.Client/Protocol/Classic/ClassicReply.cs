namespace MemcachedDistributedCache.Protocol.Classic;

/// <summary>The kinds of lines in classic replies. The order counts: the error lines that stand for a reply come last.</summary>
internal enum ClassicLine : byte
{
    /// <summary><c>VALUE</c>: a value follows, and <c>END</c> behind it.</summary>
    Value,

    /// <summary><c>END</c>, with no <c>VALUE</c> before it: a miss.</summary>
    End,

    /// <summary><c>STORED</c>.</summary>
    Stored,

    /// <summary><c>NOT_STORED</c>: the condition of an <c>add</c> did not hold.</summary>
    NotStored,

    /// <summary><c>EXISTS</c>: the CAS did not match.</summary>
    Exists,

    /// <summary><c>NOT_FOUND</c>: the item to change or delete is not there.</summary>
    NotFound,

    /// <summary><c>DELETED</c>.</summary>
    Deleted,

    /// <summary><c>TOUCHED</c>.</summary>
    Touched,

    /// <summary>A number and nothing else: what an <c>incr</c> or <c>decr</c> has made.</summary>
    Number,

    /// <summary><c>VERSION</c> and a text.</summary>
    Version,

    /// <summary><c>SERVER_ERROR object too large for cache</c>.</summary>
    TooLarge,

    /// <summary><c>SERVER_ERROR out of memory …</c>.</summary>
    OutOfMemory,

    /// <summary><c>CLIENT_ERROR cannot increment or decrement non-numeric value</c>.</summary>
    NotNumeric,

    /// <summary>Any other <c>SERVER_ERROR</c>.</summary>
    ServerError,

    /// <summary><c>CLIENT_ERROR …</c> or <c>ERROR</c>: the command was not understood, and data behind it are read as commands.</summary>
    NotUnderstood,
}

/// <summary>One line of a classic reply. A field that the line does not carry has its default.</summary>
internal ref struct ClassicReply
{
    /// <summary>The kind of the line.</summary>
    public ClassicLine Line;

    /// <summary>The key of the item that follows.</summary>
    public ReadOnlySpan<byte> Key;

    /// <summary>The item's client flags.</summary>
    public uint Flags;

    /// <summary>The length of its data block.</summary>
    public int Length;

    /// <summary>The number that was made.</summary>
    public ulong Number;

    /// <summary>The number of the item's state; 0 where the line has none.</summary>
    public ulong Cas;
}
