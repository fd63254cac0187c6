namespace MemcachedDistributedCache.Protocol;

/// <summary>Times to live as memcached reads them.</summary>
internal static class WireTime
{
    /// <summary>Up to so many seconds, 30 days, a time to live counts from now; what is above is a Unix time.</summary>
    public const int LargestRelative = 30 * 24 * 60 * 60;

    /// <summary>The number for so many seconds. It has 32 bits: what lies behind January 2038 ends there.</summary>
    public static int Of(long seconds, DateTimeOffset serverNow)
        => seconds <= LargestRelative ? (int)seconds : (int)Math.Min(serverNow.ToUnixTimeSeconds() + seconds, int.MaxValue - 1);

    /// <summary>The same, where the time of day is looked at only if it matters.</summary>
    public static int Of(long seconds, TimeProvider ioTime) => seconds <= LargestRelative ? (int)seconds : Of(seconds, ioTime.GetUtcNow());
}
