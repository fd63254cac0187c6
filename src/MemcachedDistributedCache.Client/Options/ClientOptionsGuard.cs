using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Options;

/// <summary>Validates options that did not come through the container.</summary>
internal static class ClientOptionsGuard
{
    /// <summary>Throws with every rule that is broken.</summary>
    public static void ThrowIfInvalid(MemcachedClientOptions options)
        => ThrowIfInvalid(options, new MemcachedClientOptionsValidator(), new MemcachedClientOptionsRules());

    /// <summary>Throws with every rule of these that is broken.</summary>
    public static void ThrowIfInvalid<TOptions>(TOptions options, params IValidateOptions<TOptions>[] rules)
        where TOptions : MemcachedClientOptions
    {
        string[] failures = [.. rules.SelectMany(rule => rule.Validate(null, options).Failures ?? [])];
        if (failures.Length != 0)
        {
            throw new OptionsValidationException(Microsoft.Extensions.Options.Options.DefaultName, typeof(TOptions), failures);
        }
    }
}
