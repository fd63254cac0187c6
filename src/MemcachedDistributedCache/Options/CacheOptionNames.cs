using System.Reflection;

namespace MemcachedDistributedCache.Options;

/// <summary>The options of the caches by their names, those of the client among them.</summary>
internal static class CacheOptionNames
{
    public static readonly OptionNames All = new(
        typeof(MemcachedCacheOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance),
        new OptionSection(
            nameof(MemcachedCacheOptions.Hybrid),
            typeof(MemcachedHybridCacheOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance),
            "the hybrid cache"),
        OptionSection.Tls);
}
