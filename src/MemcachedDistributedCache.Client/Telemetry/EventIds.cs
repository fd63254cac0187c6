namespace MemcachedDistributedCache.Telemetry;

/// <summary>
/// Event ids of the client's log: 1000 to 1029 without 1010, nodes and connections; 1010 and 1030 to 1034, options. The ids of the
/// other packages are in theirs, and no id stands in two. An id once published keeps its meaning. Each has its line in
/// docs/observability.md.
/// </summary>
internal static class EventIds
{
    public const int NodeUp = 1000;
    public const int NodeDown = 1001;
    public const int NodeSlow = 1002;
    public const int NodeInTime = 1003;
    public const int ConnectionEnded = 1004;
    public const int UncertainKeysReplayed = 1005;
    public const int UncertainWritesOverflowed = 1006;
    public const int FenceRenewed = 1007;
    public const int NameNotResolved = 1008;
    public const int ServersChanged = 1009;
    public const int ChangeRefused = 1010;
    public const int FencesBypassed = 1011;
    public const int ServersShareAddress = 1012;
    public const int RemovalRefused = 1013;
    public const int ServersDiscovered = 1020;
    public const int DiscoveryFailed = 1021;
    public const int OfferedServersNotUsed = 1030;
    public const int ChangeIgnored = 1031;
    public const int CertificatesNotReplaced = 1032;
    public const int PasswordReadable = 1033;
    public const int PasswordNotReplaced = 1034;
}
