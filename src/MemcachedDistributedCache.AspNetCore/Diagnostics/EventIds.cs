namespace MemcachedDistributedCache.AspNetCore.Diagnostics;

/// <summary>
/// Event ids of the log: 4000 output caching, 4100 rate limiting, 4200 warm-up. The ranges of the other packages are in theirs; no id
/// stands in two. An id once published keeps its meaning.
/// </summary>
internal static class EventIds
{
    public const int PageTooLarge = 4000;
    public const int EvictionFailed = 4001;
    public const int PageOutdated = 4002;
    public const int StoreFailed = 4003;
    public const int PageOfTooManyTags = 4004;
    public const int PageDamaged = 4005;

    public const int RateLimiterAlone = 4100;
    public const int RateLimiterClocksDiffer = 4101;

    public const int WarmupStarted = 4200;
    public const int WarmupProgress = 4201;
    public const int WarmupEnded = 4202;
    public const int WarmupItemFailed = 4203;
    public const int WarmupGivenUp = 4204;
}
