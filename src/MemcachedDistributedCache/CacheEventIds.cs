namespace MemcachedDistributedCache;

/// <summary>
/// Event ids of the caches' logs: 2000 the distributed cache, 3000 the hybrid cache. The client's are in its package. An id once
/// published keeps its meaning. Each has its line in docs/observability.md.
/// </summary>
internal static class CacheEventIds
{
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
