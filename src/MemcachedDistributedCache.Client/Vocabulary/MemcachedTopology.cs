namespace MemcachedDistributedCache;

/// <summary>The kind of thing behind the address of a server.</summary>
public enum MemcachedTopology
{
    /// <summary>One memcached, which this process speaks to itself. The default.</summary>
    Nodes,

    /// <summary>
    /// Several, behind a proxy or a balancer, or a service that is one address. What one of them tells of itself, such as
    /// its CAS tokens, says nothing of the others. Some promises are weaker: docs/failures.md lists them.
    /// </summary>
    Shared,
}
