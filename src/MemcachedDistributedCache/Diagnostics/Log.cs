using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Diagnostics;

/// <summary>Everything that is logged. No key and no value is, at any level.</summary>
internal static partial class Log
{
    [LoggerMessage(EventIds.NodeUp, LogLevel.Information, "memcached {Server} is up: version {Version}, {Items}")]
    public static partial void NodeUp(ILogger logger, string server, string version, string items);

    [LoggerMessage(EventIds.NodeDown, LogLevel.Warning, "memcached {Server} is down: {Reason}. {Consequence} until it answers again; it is tried in the background")]
    public static partial void NodeDown(ILogger logger, string server, string reason, string consequence);

    [LoggerMessage(EventIds.NodeSlow, LogLevel.Warning, "memcached {Server} does not answer within {Limit} ms. What times out is a miss, and is counted; this is logged again once it has been in time for a while")]
    public static partial void NodeSlow(ILogger logger, string server, double limit);

    [LoggerMessage(EventIds.NodeInTime, LogLevel.Information, "memcached {Server} answers in time again")]
    public static partial void NodeInTime(ILogger logger, string server);

    [LoggerMessage(EventIds.ConnectionEnded, LogLevel.Debug, "A connection to memcached {Server} ended: {Reason}")]
    public static partial void ConnectionEnded(ILogger logger, string server, string reason, Exception? exception);

    [LoggerMessage(EventIds.UncertainKeysReplayed, LogLevel.Information, "{Count} keys have been removed from memcached {Server}, which their last write or removal may not have reached, and can be read again")]
    public static partial void UncertainKeysReplayed(ILogger logger, string server, int count);

    [LoggerMessage(EventIds.UncertainWritesOverflowed, LogLevel.Warning, "More than {Maximum} keys on memcached {Server} have had a write or removal fail. Nothing that the server holds is read any more; what is stored from its return on will be")]
    public static partial void UncertainWritesOverflowed(ILogger logger, string server, int maximum);

    [LoggerMessage(EventIds.FenceRenewed, LogLevel.Information, "memcached {Server} is read again; what it had stored before is not")]
    public static partial void FenceRenewed(ILogger logger, string server);

    [LoggerMessage(EventIds.NameNotResolved, LogLevel.Warning, "The name {Host} cannot be resolved; the {Count} addresses that it had are kept, and it is looked up again")]
    public static partial void NameNotResolved(ILogger logger, string host, int count);

    [LoggerMessage(EventIds.ServersChanged, LogLevel.Information, "The memcached servers have changed: there were {Before}, there are {After}")]
    public static partial void ServersChanged(ILogger logger, int before, int after);

    [LoggerMessage(EventIds.ChangeRefused, LogLevel.Error, "The configuration has changed to what cannot be used, so the memcached servers stay as they were: {Reason}")]
    public static partial void ChangeRefused(ILogger logger, string reason);

    [LoggerMessage(EventIds.FencesBypassed, LogLevel.Warning, "memcached {Server}, version {Version}, has given items new numbers while it moved them in its memory, or does not tell. What is old there cannot be told from what is new, and nothing that it had stored by now is read. Upgrade it to 1.6.24 or newer, or start it with -o no_slab_reassign")]
    public static partial void FencesBypassed(ILogger logger, string server, string version);

    [LoggerMessage(EventIds.ServersShareAddress, LogLevel.Warning, "The memcached servers {Server} and {Other} lead to one address, {Address}: that server has the shares of both, and no other serves its keys when it is down. Name it once")]
    public static partial void ServersShareAddress(ILogger logger, string server, string other, string address);

    [LoggerMessage(EventIds.OfferedServersNotUsed, LogLevel.Warning, "The memcached servers are {Servers}, because the options name them; the embedded nodes {Offered} of the same container are not used. Take the servers out of the configuration, or the embedded nodes out of the registrations")]
    public static partial void OfferedServersNotUsed(ILogger logger, string servers, string offered);

    [LoggerMessage(EventIds.ChangeIgnored, LogLevel.Warning, "The configuration has changed {Options}. They are read at start only, so the change is ignored until the application is started again; of the memcached options only Servers is followed")]
    public static partial void ChangeIgnored(ILogger logger, string options);

    [LoggerMessage(EventIds.ValueTooLarge, LogLevel.Warning, "A value of {Size} bytes was not cached, the limit is {Limit} bytes. What was cached under its key before has been removed")]
    public static partial void ValueTooLarge(ILogger logger, long size, long limit);

    [LoggerMessage(EventIds.ValueNotAdded, LogLevel.Warning, "A value of {Size} bytes was not added, the limit is {Limit} bytes")]
    public static partial void ValueNotAdded(ILogger logger, long size, long limit);

    [LoggerMessage(EventIds.EntryNotReadable, LogLevel.Warning, "An item with client flags {Flags} and {Length} bytes is not an entry of this cache and counts as a miss; another client seems to write under the same namespace. Told once a minute; {Suppressed} more came since the last time")]
    public static partial void EntryNotReadable(ILogger logger, uint flags, int length, long suppressed);

    [LoggerMessage(EventIds.WriteDropped, LogLevel.Debug, "A {Operation} did not reach memcached {Server}: {Reason}")]
    public static partial void WriteDropped(ILogger logger, string operation, string server, string reason);

    [LoggerMessage(EventIds.HybridValueTooLarge, LogLevel.Warning, "A value that takes {Size} bytes or more is over the limit and was not stored in the cluster, at most in this process; see MaximumPayloadBytes, and memcached's item size (-I)")]
    public static partial void HybridValueTooLarge(ILogger logger, long size);

    [LoggerMessage(EventIds.HybridKeyNotUsable, LogLevel.Warning, "A key of {Length} characters cannot be used, the limit is {Limit} and there must be one that is no space; its value was made and not cached")]
    public static partial void HybridKeyNotUsable(ILogger logger, int length, int limit);

    [LoggerMessage(EventIds.HybridNotSerializable, LogLevel.Error, "A value of type {Type} could not be serialized, or not read back, and was not cached")]
    public static partial void HybridNotSerializable(ILogger logger, string type, Exception exception);

    [LoggerMessage(EventIds.HybridNotDeserializable, LogLevel.Warning, "A cached value could not be read as {Type} and is made anew. Told once a minute for a type; {Suppressed} more came since the last time")]
    public static partial void HybridNotDeserializable(ILogger logger, string type, long suppressed, Exception exception);

    [LoggerMessage(EventIds.HybridFactoryFailed, LogLevel.Warning, "A factory failed, and the last value is served in its place")]
    public static partial void HybridFactoryFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventIds.HybridNeedsCas, LogLevel.Error, "A memcached server has CAS switched off (-C): the hybrid cache stores nothing there, because a removal could not be told from what it removed")]
    public static partial void HybridNeedsCas(ILogger logger);

    [LoggerMessage(EventIds.HybridNeverCached, LogLevel.Error, "Values of type {Type} will never be cached by this process, and their factories run each time, because {Reason} {Remedy} See docs/serialization.md")]
    public static partial void HybridNeverCached(ILogger logger, string type, string reason, string remedy);

    [LoggerMessage(EventIds.HybridNotCarried, LogLevel.Warning, "A value of type {Type} comes back from its serializer as another, so that the caller whose factory made it sees what later callers do not. {Member}: {Difference}. {Remedy} See docs/serialization.md")]
    public static partial void HybridNotCarried(ILogger logger, string type, string member, string difference, string remedy);
}
