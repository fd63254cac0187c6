namespace MemcachedDistributedCache.Vocabulary;

/// <summary>
/// Names the connection by which a later change of a key settles an earlier one that got no answer: a server acts on
/// the requests of one connection in their order, and on those of two in any.
/// </summary>
internal static class SettlingConnection
{
    /// <summary>The earlier change was not sent, so any later one settles it.</summary>
    public const long Any = 0;

    /// <summary>The earlier change may come after all that is asked from now on, so that only the removal of the key settles it.</summary>
    public const long None = -1;

    /// <summary>Which connection settles two changes together.</summary>
    public static long OfBoth(long first, long second) => first == second || second == Any ? first : first == Any ? second : None;

    /// <summary>A later change by a connection settles an earlier one.</summary>
    public static bool Settles(long settledBy, long connection) => settledBy == Any || settledBy == connection;
}
