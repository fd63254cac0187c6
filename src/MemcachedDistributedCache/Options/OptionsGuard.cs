using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Options;

/// <summary>Validates options that did not come through the container.</summary>
internal static class OptionsGuard
{
    /// <summary>Throws with every rule that is broken.</summary>
    public static void ThrowIfInvalid(MemcachedCacheOptions options)
    {
        string[] failures =
        [
            .. new MemcachedCacheOptionsValidator().Validate(null, options).Failures ?? [],
            .. new MemcachedCacheOptionsRules().Validate(null, options).Failures ?? [],
        ];
        if (failures.Length != 0)
        {
            throw new OptionsValidationException(Microsoft.Extensions.Options.Options.DefaultName, typeof(MemcachedCacheOptions), failures);
        }
    }
}
