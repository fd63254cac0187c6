namespace MemcachedDistributedCache.Connections;

/// <summary>
/// Numbers requests in the order in which one connection sends them, and so in the order in which the server sees them.
/// The high 16 bits name the connection; the low 32 are the opaque token on the wire.
/// </summary>
internal static class RequestSequence
{
    private const int CountBits = 48;
    private static long _connections;

    /// <summary>A name for another connection, above 0 and never given twice.</summary>
    public static long NextConnection() => Interlocked.Increment(ref _connections);

    /// <summary>Where a connection begins to count.</summary>
    public static long FirstOf(long connection) => connection << CountBits;

    /// <summary>The server saw <paramref name="later"/> after <paramref name="earlier"/>, as far as one connection tells.</summary>
    public static bool IsAfter(long later, long earlier) => later >> CountBits == earlier >> CountBits && later > earlier;
}
