namespace MemcachedDistributedCache.Transport;

/// <summary>Where a server listens: a host name or an IP address, and a TCP port.</summary>
/// <param name="Host">The name or address, an IPv6 address without brackets, in lower case.</param>
/// <param name="Port">The TCP port, 1 to 65535.</param>
internal sealed record ServerAddress(string Host, int Port)
{
    /// <summary>The form in which people write it; also the identity of the node on the ring.</summary>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
