using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Options;

/// <summary>The rules of each option by itself, from its attributes, those of the client among them.</summary>
[OptionsValidator]
internal sealed partial class MemcachedCacheOptionsValidator : IValidateOptions<MemcachedCacheOptions>;

/// <summary>The rules between options: those of a client, and those of the caches.</summary>
internal sealed class MemcachedCacheOptionsRules : IValidateOptions<MemcachedCacheOptions>
{
    private readonly UsableFiles _usable = new();

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, MemcachedCacheOptions options)
    {
        var result = new ValidateOptionsResultBuilder();
        MemcachedClientOptionsRules.AddErrors(name, options, _usable, result);
        if (options.Hybrid is null)
        {
            result.AddError("Hybrid is null; leave it as it is and set its members.", nameof(options.Hybrid));
        }

        return result.Build();
    }
}
