using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.AspNetCore.Diagnostics;

/// <summary>Everything that is logged. No key, no tag and no page is, at any level.</summary>
internal static partial class Log
{
    [LoggerMessage(EventIds.PageTooLarge, LogLevel.Warning, "A response of {Size} bytes to route {Route} was not cached, memcached takes {Limit} bytes. It is logged once for a route; raise the server's item size (-I), or make the response smaller")]
    public static partial void PageTooLarge(ILogger logger, string route, long size, long limit);

    [LoggerMessage(EventIds.EvictionFailed, LogLevel.Warning, "Pages were to be evicted by a tag, and memcached {Server} gave no answer: {Reason}. This process makes up for it when the server is back; other processes may serve the pages until then")]
    public static partial void EvictionFailed(ILogger logger, string server, MemcachedFailureReason reason);

    [LoggerMessage(EventIds.PageOutdated, LogLevel.Debug, "A response was not cached: one of its tags may have been evicted while it was made")]
    public static partial void PageOutdated(ILogger logger);

    [LoggerMessage(EventIds.PageOfTooManyTags, LogLevel.Warning, "A response to route {Route} was not cached: it has more than {Limit} tags. It is logged once for a route; give it fewer tags, or raise MemcachedOutputCacheOptions.MaximumTags in all instances")]
    public static partial void PageOfTooManyTags(ILogger logger, string route, int limit);

    [LoggerMessage(
        EventIds.PageDamaged,
        LogLevel.Warning,
        "A cached page of {Length} bytes is damaged; it is removed, and made anew. Told once a minute; {Suppressed} more came since the last time")]
    public static partial void PageDamaged(ILogger logger, int length, long suppressed);

    [LoggerMessage(
        EventIds.StoreFailed,
        LogLevel.Debug,
        "The output cache was without an answer in {Operation}; the response is made or sent uncached")]
    public static partial void StoreFailed(ILogger logger, string operation, Exception exception);

    [LoggerMessage(
        EventIds.RateLimiterAlone,
        LogLevel.Warning,
        "The rate limiter {Name} decides without memcached, which does not tell how many permits are taken: {Failure}. MemcachedRateLimiterOptions.OnOutage says how. Told once a minute; {Suppressed} more came since the last time")]
    public static partial void RateLimiterAlone(ILogger logger, string name, string? failure, long suppressed);

    [LoggerMessage(
        EventIds.RateLimiterClocksDiffer,
        LogLevel.Warning,
        "The clock of this machine is more than a window of the rate limiter {Name} behind that of another process. Set the clocks of all machines by NTP. Told once a minute; {Suppressed} more came since the last time")]
    public static partial void RateLimiterClocksDiffer(ILogger logger, string name, long suppressed);

    [LoggerMessage(EventIds.WarmupStarted, LogLevel.Information, "The warm-up {Name} begins, with up to {Parallelism} items at a time")]
    public static partial void WarmupStarted(ILogger logger, string name, int parallelism);

    [LoggerMessage(EventIds.WarmupProgress, LogLevel.Information, "The warm-up {Name} has filled {Filled} items, {Failed} have failed, after {Seconds:0.0} s")]
    public static partial void WarmupProgress(ILogger logger, string name, long filled, long failed, double seconds);

    [LoggerMessage(EventIds.WarmupEnded, LogLevel.Information, "The warm-up {Name} has ended: {Filled} items filled, {Failed} failed, in {Seconds:0.0} s")]
    public static partial void WarmupEnded(ILogger logger, string name, long filled, long failed, double seconds);

    [LoggerMessage(
        EventIds.WarmupItemFailed,
        LogLevel.Warning,
        "An item of the warm-up {Name} was not filled; the others go on. Told once a minute; {Suppressed} more failed since the last time")]
    public static partial void WarmupItemFailed(ILogger logger, string name, long suppressed, Exception exception);

    [LoggerMessage(
        EventIds.WarmupGivenUp,
        LogLevel.Error,
        "The warm-up {Name} was given up: {Reason}. {Filled} items are filled, {Failed} have failed; the application goes on")]
    public static partial void WarmupGivenUp(ILogger logger, string name, string reason, long filled, long failed, Exception? exception);
}
