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
}
