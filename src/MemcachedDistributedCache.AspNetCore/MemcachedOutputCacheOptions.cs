using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.AspNetCore;

/// <summary>The options of output caching on memcached. They are read when the application starts.</summary>
public sealed class MemcachedOutputCacheOptions
{
    /// <summary>
    /// The service key of the cache that holds the pages, for one that <c>AddKeyedMemcachedDistributedCache</c> registered. Default: null,
    /// the application's own <see cref="MemcachedCache"/>.
    /// </summary>
    public string? ServiceKey { get; set; }

    /// <summary>
    /// How far the clocks of the machines that share the cache may be apart, 0 to 1 minute. It matters only to tags that an endpoint adds
    /// while it runs: if such a tag was evicted less than this before the request came, its page is not stored, for the eviction may have
    /// come after the data was read. Default: 1 second.
    /// </summary>
    public TimeSpan ClockTolerance { get; set; } = TimeSpan.FromSeconds(1);

    internal sealed class Validator : IValidateOptions<MemcachedOutputCacheOptions>
    {
        public ValidateOptionsResult Validate(string? name, MemcachedOutputCacheOptions options)
        {
            if (options.ServiceKey is { Length: 0 })
            {
                return ValidateOptionsResult.Fail("MemcachedOutputCacheOptions.ServiceKey is empty: name a cache that AddKeyedMemcachedDistributedCache registered, or leave it null.");
            }

            return options.ClockTolerance < TimeSpan.Zero || options.ClockTolerance > TimeSpan.FromMinutes(1)
                ? ValidateOptionsResult.Fail($"MemcachedOutputCacheOptions.ClockTolerance is {options.ClockTolerance}: use a time from 00:00:00 to 00:01:00, such as 00:00:01.")
                : ValidateOptionsResult.Success;
        }
    }
}
