using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Diagnostics;

/// <summary>Everything that is logged. No key and no value is, at any level.</summary>
internal static partial class Log
{
    [LoggerMessage(EventIds.NodeUp, LogLevel.Information, "memcached {Server} is up: version {Version}, items up to {ItemSizeMax} bytes (0: it does not tell)")]
    public static partial void NodeUp(ILogger logger, string server, string version, int itemSizeMax);

    [LoggerMessage(EventIds.NodeDown, LogLevel.Warning, "memcached {Server} is down: {Reason}. Its keys are misses until it answers again; it is tried in the background")]
    public static partial void NodeDown(ILogger logger, string server, string reason);

    [LoggerMessage(EventIds.NodeSlow, LogLevel.Warning, "memcached {Server} does not answer within {Limit} ms. What times out is a miss, and is counted; this is logged again once it has been in time for a while")]
    public static partial void NodeSlow(ILogger logger, string server, double limit);

    [LoggerMessage(EventIds.NodeInTime, LogLevel.Information, "memcached {Server} answers in time again")]
    public static partial void NodeInTime(ILogger logger, string server);

    [LoggerMessage(EventIds.ConnectionEnded, LogLevel.Debug, "A connection to memcached {Server} ended: {Reason}")]
    public static partial void ConnectionEnded(ILogger logger, string server, string reason, Exception? exception);

    [LoggerMessage(EventIds.SuspectsReplayed, LogLevel.Information, "{Count} keys on memcached {Server} whose last write or removal had failed have been removed, and can be read again")]
    public static partial void SuspectsReplayed(ILogger logger, string server, int count);

    [LoggerMessage(EventIds.SuspectsOverflowed, LogLevel.Warning, "More than {Maximum} keys on memcached {Server} have had a write or removal fail. Nothing that the server holds is read any more; what is stored from its return on will be")]
    public static partial void SuspectsOverflowed(ILogger logger, string server, int maximum);

    [LoggerMessage(EventIds.FloorRaised, LogLevel.Information, "memcached {Server} is read again; what it had stored before is not")]
    public static partial void FloorRaised(ILogger logger, string server);

    [LoggerMessage(EventIds.ValueTooLarge, LogLevel.Warning, "A value of {Size} bytes was not cached, the limit is {Limit} bytes. What was cached under its key before has been removed")]
    public static partial void ValueTooLarge(ILogger logger, long size, long limit);

    [LoggerMessage(EventIds.ValueNotAdded, LogLevel.Warning, "A value of {Size} bytes was not added, the limit is {Limit} bytes")]
    public static partial void ValueNotAdded(ILogger logger, long size, long limit);

    [LoggerMessage(EventIds.EntryNotReadable, LogLevel.Warning, "An item with client flags {Flags} and {Length} bytes is not an entry of this cache and counts as a miss; another client seems to write under the same namespace")]
    public static partial void EntryNotReadable(ILogger logger, uint flags, int length);

    [LoggerMessage(EventIds.WriteDropped, LogLevel.Debug, "A {Operation} did not reach memcached {Server}: {Reason}")]
    public static partial void WriteDropped(ILogger logger, string operation, string server, string reason);
}
