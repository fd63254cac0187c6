namespace MemcachedDistributedCache.Diagnostics;

/// <summary>
/// Event ids of the log, in ranges: 1000 nodes and connections, 2000 the cache, 3000 the hybrid cache, 4000 the package for ASP.NET Core.
/// An id once published keeps its meaning. Each has its line in docs/observability.md.
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
    public const int OfferedServersNotUsed = 1030;
    public const int ChangeIgnored = 1031;

    public const int ValueTooLarge = 2000;
    public const int EntryNotReadable = 2001;
    public const int WriteDropped = 2002;
    public const int ValueNotAdded = 2050;

    public const int HybridValueTooLarge = 3000;
    public const int HybridKeyNotUsable = 3001;
    public const int HybridNotSerializable = 3002;
    public const int HybridNotDeserializable = 3003;
    public const int HybridFactoryFailed = 3004;
    public const int HybridNeedsCas = 3005;
    public const int HybridNeverCached = 3006;
    public const int HybridNotCarried = 3007;
}
