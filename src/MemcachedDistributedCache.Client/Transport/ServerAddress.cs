namespace MemcachedDistributedCache.Transport;

/// <summary>The address of a server: a host name or an IP address, and a TCP port; or a Unix socket.</summary>
/// <param name="Host">
/// The name or address, an IPv6 address without brackets, in lower case; of a Unix socket the path of its file.
/// </param>
/// <param name="Port">The TCP port, 1 to 65535; 0 of a Unix socket.</param>
internal sealed record ServerAddress(string Host, int Port)
{
    /// <summary>Stands before the path of a Unix socket.</summary>
    public const string UnixPrefix = "unix:";

    /// <summary>The server listens on a Unix socket, and <see cref="Host"/> is the path of its file.</summary>
    public bool IsUnixSocket => Port == 0;

    /// <summary>
    /// The host as the configuration has it, which a certificate is for. It differs from <see cref="Host"/> where each
    /// address of a name is a server of its own. Not part of the identity.
    /// </summary>
    public string ConfiguredHost { get; init; } = Host;

    /// <inheritdoc/>
    public bool Equals(ServerAddress? other)
        => other is not null && Port == other.Port && string.Equals(Host, other.Host, StringComparison.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Host, Port);

    /// <summary>The form in which people write it; also the identity of the node on the ring.</summary>
    public override string ToString()
        => IsUnixSocket ? UnixPrefix + Host
            : Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}"
            : $"{Host}:{Port}";
}
