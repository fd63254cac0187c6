using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Options;

/// <summary>Sizes that follow from several options.</summary>
internal static class EffectiveSizes
{
    /// <summary>Room for all that stands before a payload of the hybrid cache: its header and its tags.</summary>
    private const int RoomForTags = 1024 * 1024;

    /// <summary>
    /// The largest value that the caches may have stored themselves: a plain one with its deadline, or an entry of the
    /// hybrid cache. None larger is kept when read.
    /// </summary>
    public static int LargestKept(MemcachedCacheOptions options)
        => (int)
            Math.Min(
                int.MaxValue,
                Math.Max((long)options.MaximumValueBytes + ValuePrefix.Length, (long)options.Hybrid.MaximumPayloadBytes + RoomForTags));
}
