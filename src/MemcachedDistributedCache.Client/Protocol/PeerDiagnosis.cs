namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// Tells from the first bytes of a peer, or from its silence, what it probably is and what helps. A guess, and worded
/// as one: what the peer said is told beside it.
/// </summary>
internal static class PeerDiagnosis
{
    /// <summary>The peer closed or reset the connection, and had said nothing that ends.</summary>
    public const string Closed =
        "the server closed the connection before it had answered. It may ask for TLS (memcached -Z): set Tls:Enabled to true. It may speak nothing but the "
        + "binary protocol (-B binary, -S), which this cache does not: start it without. Or it has as many connections as it takes (-c). "
        + "Or it is a proxy that closes the connection at a question that it does not know: set Protocol to Auto or Classic; twemproxy before 0.5.0 does so "
        + "even at version";

    /// <summary>The peer ended an encrypted connection before it had said anything. With TLS 1.3 a client learns only then that its certificate was refused.</summary>
    public const string ClosedEncrypted =
        "the server ended TLS before it had answered. It may ask for a client's certificate that it trusts (memcached -o ssl_verify_mode, ssl_ca_cert): set "
        + "Tls:CertificateFile. It may speak nothing but the binary protocol (-B binary, -S). Or it has as many connections as it takes (-c)";

    /// <summary>The peer speaks TLS.</summary>
    public const string Tls = "it answered with a TLS record: it asks for TLS (memcached -Z). Set Tls:Enabled to true, or start it without -Z";

    private const string CheckAddress = "Check the address and the port in Servers; memcached's is 11211";

    /// <summary>
    /// Received bytes begin as a TLS record does that a server sends to what is no handshake: an alert, or a handshake
    /// message, of SSL 3 or TLS.
    /// </summary>
    public static bool IsTls(ReadOnlySpan<byte> received)
        => received.Length >= 3 && received[0] is 0x15 or 0x16 && received[1] == 3 && received[2] <= 4;

    /// <summary>The likely cause of a line in the place of a version, and the remedy.</summary>
    public static string OfLine(ReadOnlySpan<byte> line)
    {
        string said = $"it answered '{Handshake.Printable(line)}' when asked for its version";
        string? hint =
            line.SequenceEqual("CLIENT_ERROR unauthenticated"u8)
                ? "It asks for authentication (memcached -Y): set UserName, and Password or PasswordFile"
            : line.StartsWith("ERROR Too many open connections"u8) ? "Raise its -c, or lower ConnectionsPerNode"
            : MetaReplyParser.IsError(line) ? null
            : line.StartsWith("-ERR"u8) || line.StartsWith("-NOAUTH"u8) || line.StartsWith("-DENIED"u8)
                ? "It seems to be Redis, not memcached. " + CheckAddress
            : line.StartsWith("HTTP/"u8) ? "It seems to be an HTTP server, not memcached. " + CheckAddress
            : line.StartsWith("SSH-"u8) ? "It seems to be an SSH server, not memcached. " + CheckAddress
            : "It seems to be no memcached. " + CheckAddress;
        return hint is null ? said : $"{said}. {hint}";
    }
}
