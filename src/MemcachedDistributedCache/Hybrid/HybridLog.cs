using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The messages of the hybrid cache. No key and no value is logged, at any level.</summary>
internal static partial class HybridLog
{
    [LoggerMessage(CacheEventIds.HybridValueTooLarge, LogLevel.Warning, "A value that takes {Size} bytes or more is over the limit and was not stored in the cluster, at most in this process; see MaximumPayloadBytes, and memcached's item size (-I)")]
    public static partial void HybridValueTooLarge(ILogger logger, long size);

    [LoggerMessage(
        CacheEventIds.HybridKeyNotUsable,
        LogLevel.Warning,
        "A key of {Length} characters cannot be used, the limit is {Limit} and there must be one that is no space; its value was made and not cached"
    )]
    public static partial void HybridKeyNotUsable(ILogger logger, int length, int limit);

    [LoggerMessage(
        CacheEventIds.HybridNotSerializable,
        LogLevel.Error,
        "A value of type {Type} could not be serialized, or not read back, and was not cached")]
    public static partial void HybridNotSerializable(ILogger logger, string type, Exception exception);

    [LoggerMessage(
        CacheEventIds.HybridNotDeserializable,
        LogLevel.Warning,
        "A cached value could not be read as {Type} and is made anew. Told once a minute for a type; {Suppressed} more came since the last time")]
    public static partial void HybridNotDeserializable(ILogger logger, string type, long suppressed, Exception exception);

    [LoggerMessage(CacheEventIds.HybridFactoryFailed, LogLevel.Warning, "A factory failed, and the last value is served in its place")]
    public static partial void HybridFactoryFailed(ILogger logger, Exception exception);

    [LoggerMessage(CacheEventIds.HybridNeedsCas, LogLevel.Error, "A memcached server has CAS switched off (-C): the hybrid cache stores nothing there, because a removal could not be told from what it removed")]
    public static partial void HybridNeedsCas(ILogger logger);

    [LoggerMessage(CacheEventIds.HybridNeverCached, LogLevel.Error, "Values of type {Type} will never be cached by this process, and their factories run each time, because {Reason} {Remedy} See docs/serialization.md")]
    public static partial void HybridNeverCached(ILogger logger, string type, string reason, string remedy);

    [LoggerMessage(CacheEventIds.HybridNotCarried, LogLevel.Warning, "A value of type {Type} comes back from its serializer as another, so that the caller whose factory made it sees what later callers do not. {Member}: {Difference}. {Remedy} See docs/serialization.md")]
    public static partial void HybridNotCarried(ILogger logger, string type, string member, string difference, string remedy);
}
