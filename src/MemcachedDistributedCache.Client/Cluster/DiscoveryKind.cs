namespace MemcachedDistributedCache.Cluster;

/// <summary>The kind of address that tells the list of servers.</summary>
internal enum DiscoveryKind
{
    /// <summary>Nobody: the address is a server.</summary>
    None,

    /// <summary>The address is a configuration endpoint (<c>config get cluster</c>).</summary>
    Cluster,

    /// <summary>DNS is asked for the address's SRV records.</summary>
    Service,
}
