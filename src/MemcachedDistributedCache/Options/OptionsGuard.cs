using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Options;

/// <summary>Validates options that did not come through the container.</summary>
internal static class OptionsGuard
{
    /// <summary>Throws with every rule that is broken.</summary>
    public static void ThrowIfInvalid(MemcachedCacheOptions options)
        => ClientOptionsGuard.ThrowIfInvalid(options, new MemcachedCacheOptionsValidator(), new MemcachedCacheOptionsRules());
}
