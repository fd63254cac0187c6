namespace MemcachedDistributedCache.Vocabulary;

/// <summary>
/// The state of one item on one server: what a conditional write is held against. The origin is the connection that
/// told the state, for a number means nothing to another server, nor to the same one once it has been restarted.
/// </summary>
/// <param name="Cas">The number of the state.</param>
/// <param name="Origin">The connection that told it; the address where servers are shared.</param>
internal readonly record struct CasToken(ulong Cas, object? Origin)
{
    /// <summary>There is a state to be held against; a server with CAS switched off (-C) tells none.</summary>
    public bool IsKnown => Cas != 0 && Origin is not null;
}
