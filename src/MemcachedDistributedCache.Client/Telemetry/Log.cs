using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Telemetry;

/// <summary>The messages of the engine. No key and no value is logged, at any level.</summary>
internal static partial class Log
{
    [LoggerMessage(EventIds.NodeUp, LogLevel.Information, "memcached {Server} is up: version {Version}, {Items}")]
    public static partial void NodeUp(ILogger logger, string server, string version, string items);

    [LoggerMessage(
        EventIds.NodeDown,
        LogLevel.Warning,
        "memcached {Server} is down: {Reason}. {Consequence} until it answers again; it is tried in the background")]
    public static partial void NodeDown(ILogger logger, string server, string reason, string consequence);

    [LoggerMessage(EventIds.NodeSlow, LogLevel.Warning, "memcached {Server} does not answer within {Limit} ms. What times out is a miss, and is counted; this is logged again once it has been in time for a while")]
    public static partial void NodeSlow(ILogger logger, string server, double limit);

    [LoggerMessage(EventIds.NodeInTime, LogLevel.Information, "memcached {Server} answers in time again")]
    public static partial void NodeInTime(ILogger logger, string server);

    [LoggerMessage(EventIds.ConnectionEnded, LogLevel.Debug, "A connection to memcached {Server} ended: {Reason}")]
    public static partial void ConnectionEnded(ILogger logger, string server, string reason, Exception? exception);

    [LoggerMessage(
        EventIds.UncertainKeysReplayed,
        LogLevel.Information,
        "{Count} keys have been removed from memcached {Server}, which their last write or removal may not have reached, and can be read again")]
    public static partial void UncertainKeysReplayed(ILogger logger, string server, int count);

    [LoggerMessage(
        EventIds.RemovalRefused,
        LogLevel.Warning,
        "memcached {Server} refuses to remove a key whose last write or removal may not have reached it: {Answer}. The key is not read, and its removal is tried again at growing pauses, up to ten seconds ({Suppressed} more since the last such warning)")]
    public static partial void RemovalRefused(ILogger logger, string server, string answer, long suppressed);

    [LoggerMessage(EventIds.UncertainWritesOverflowed, LogLevel.Warning, "More than {Maximum} keys on memcached {Server} have had a write or removal fail. Nothing that the server holds is read any more; what is stored from its return on will be")]
    public static partial void UncertainWritesOverflowed(ILogger logger, string server, int maximum);

    [LoggerMessage(EventIds.FenceRenewed, LogLevel.Information, "memcached {Server} is read again; {Before}")]
    public static partial void FenceRenewed(ILogger logger, string server, string before);

    [LoggerMessage(
        EventIds.NameNotResolved,
        LogLevel.Warning,
        "The name {Host} cannot be resolved; the {Count} addresses that it had are kept, and it is looked up again")]
    public static partial void NameNotResolved(ILogger logger, string host, int count);

    [LoggerMessage(EventIds.ServersChanged, LogLevel.Information, "The memcached servers have changed: there were {Before}, there are {After}")]
    public static partial void ServersChanged(ILogger logger, int before, int after);

    [LoggerMessage(EventIds.FencesBypassed, LogLevel.Warning, "memcached {Server}, version {Version}, has given items new numbers while it moved them in its memory, or does not tell. What is old there cannot be told from what is new, and nothing that it had stored by now is read. Upgrade it to 1.6.24 or newer, or start it with -o no_slab_reassign")]
    public static partial void FencesBypassed(ILogger logger, string server, string version);

    [LoggerMessage(EventIds.ServersDiscovered, LogLevel.Information, "{Endpoint} names {Count} memcached servers{Version}")]
    public static partial void ServersDiscovered(ILogger logger, string endpoint, int count, string version);

    [LoggerMessage(
        EventIds.DiscoveryFailed,
        LogLevel.Warning,
        "{Endpoint} does not tell which memcached servers there are: {Reason}. The {Count} that it has named before are kept, and it is asked again")]
    public static partial void DiscoveryFailed(ILogger logger, string endpoint, string reason, int count);

    [LoggerMessage(EventIds.ServersShareAddress, LogLevel.Warning, "The memcached servers {Server} and {Other} lead to one address, {Address}: that server has the shares of both, and no other serves its keys when it is down. Name it once")]
    public static partial void ServersShareAddress(ILogger logger, string server, string other, string address);
}
