namespace MemcachedDistributedCache.AspNetCore.Diagnostics;

/// <summary>Event ids of the log: 3000 output caching. An id once published keeps its meaning.</summary>
internal static class EventIds
{
    public const int PageTooLarge = 3000;
    public const int EvictionFailed = 3001;
    public const int PageOutdated = 3002;
    public const int StoreFailed = 3003;
    public const int PageOfTooManyTags = 4004;
    public const int PageDamaged = 4005;
}
