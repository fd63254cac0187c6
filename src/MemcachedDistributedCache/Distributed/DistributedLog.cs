using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Distributed;

/// <summary>The messages of the distributed cache. No key and no value is logged, at any level.</summary>
internal static partial class DistributedLog
{
    [LoggerMessage(
        CacheEventIds.ValueTooLarge,
        LogLevel.Warning,
        "A value of {Size} bytes was not cached, the limit is {Limit} bytes. What was cached under its key before has been removed")]
    public static partial void ValueTooLarge(ILogger logger, long size, long limit);

    [LoggerMessage(CacheEventIds.ValueNotAdded, LogLevel.Warning, "A value of {Size} bytes was not added, the limit is {Limit} bytes")]
    public static partial void ValueNotAdded(ILogger logger, long size, long limit);

    [LoggerMessage(CacheEventIds.WriteDropped, LogLevel.Debug, "A {Operation} did not reach memcached {Server}: {Reason}")]
    public static partial void WriteDropped(ILogger logger, string operation, string server, string reason);
}
