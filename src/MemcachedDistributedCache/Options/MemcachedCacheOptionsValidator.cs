using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Options;

/// <summary>The rules of each option by itself, from its attributes.</summary>
[OptionsValidator]
internal sealed partial class MemcachedCacheOptionsValidator : IValidateOptions<MemcachedCacheOptions>;

/// <summary>The rules between options.</summary>
internal sealed class MemcachedCacheOptionsRules : IValidateOptions<MemcachedCacheOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, MemcachedCacheOptions options)
    {
        var result = new ValidateOptionsResultBuilder();
        if (options.Hybrid is null)
        {
            result.AddError("Hybrid is null; leave it as it is and set its members.", nameof(options.Hybrid));
        }

        if (options.MaximumReconnectDelay < options.ReconnectDelay)
        {
            result.AddError(
                $"MaximumReconnectDelay is {options.MaximumReconnectDelay}, less than ReconnectDelay, which is {options.ReconnectDelay}; raise the one or lower the other.",
                nameof(options.MaximumReconnectDelay));
        }

        if (options.IdleTimeout != Timeout.InfiniteTimeSpan && options.IdleTimeout <= options.OperationTimeout)
        {
            result.AddError(
                $"IdleTimeout is {options.IdleTimeout}, not more than OperationTimeout, which is {options.OperationTimeout}; a connection must be able to wait for one operation. Raise IdleTimeout.",
                nameof(options.IdleTimeout));
        }

        return result.Build();
    }
}
