using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Options;

/// <summary>The rules of each option by itself, from its attributes.</summary>
[OptionsValidator]
internal sealed partial class MemcachedCacheOptionsValidator : IValidateOptions<MemcachedCacheOptions>;

/// <summary>Limits that follow from several options.</summary>
internal static class EffectiveTimes
{
    /// <summary>
    /// The limit of one attempt. Two fifths of the whole leave room for one more after one that timed out, and for the pause between.
    /// </summary>
    public static TimeSpan AttemptTimeout(MemcachedCacheOptions options)
        => options.MaximumRetries == 0 ? options.OperationTimeout : options.AttemptTimeout ?? options.OperationTimeout * 0.4;
}

/// <summary>The rules between options.</summary>
internal sealed class MemcachedCacheOptionsRules : IValidateOptions<MemcachedCacheOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, MemcachedCacheOptions options)
    {
        var result = new ValidateOptionsResultBuilder();
        if (options.NamedServers.Contradiction is { } contradiction)
        {
            result.AddError(contradiction, nameof(options.Servers));
        }

        if (options.Hybrid is null)
        {
            result.AddError("Hybrid is null; leave it as it is and set its members.", nameof(options.Hybrid));
        }

        if (CredentialRules.Error(options) is { } credentials)
        {
            result.AddError(credentials, nameof(options.UserName));
        }

        foreach (string error in TlsRules.Errors(options.Tls))
        {
            result.AddError(error, nameof(options.Tls));
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

        if (options.MaximumRetries > 0 && options.AttemptTimeout >= options.OperationTimeout)
        {
            result.AddError(
                $"AttemptTimeout is {options.AttemptTimeout}, not less than OperationTimeout, which is {options.OperationTimeout}; no retry would have time. Lower AttemptTimeout, raise OperationTimeout, or set MaximumRetries to 0.",
                nameof(options.AttemptTimeout));
        }

        if (options.MaximumRetries > 0 && options.RetryDelay >= options.OperationTimeout)
        {
            result.AddError(
                $"RetryDelay is {options.RetryDelay}, not less than OperationTimeout, which is {options.OperationTimeout}; no retry would have time. Lower RetryDelay, raise OperationTimeout, or set MaximumRetries to 0.",
                nameof(options.RetryDelay));
        }

        return result.Build();
    }
}
