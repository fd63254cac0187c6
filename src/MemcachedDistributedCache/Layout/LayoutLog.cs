using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Layout;

/// <summary>The messages about items that are none of ours. No key and no value is logged, at any level.</summary>
internal static partial class LayoutLog
{
    [LoggerMessage(CacheEventIds.EntryNotReadable, LogLevel.Warning, "An item with client flags {Flags} and {Length} bytes is not an entry of this cache and counts as a miss; another client seems to write under the same namespace. Told once a minute; {Suppressed} more came since the last time")]
    public static partial void EntryNotReadable(ILogger logger, uint flags, int length, long suppressed);
}
