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

    /// <summary>
    /// The most tags of a page, 1 to 1 000. The version of each is a request to a server with every look-up of the
    /// page. A page that has more is sent and not cached, which is logged once for its route; one in the cluster that
    /// has more is made anew. All instances should have the same. Default: 64.
    /// </summary>
    public int MaximumTags { get; set; } = 64;

    internal sealed class Validator : IValidateOptions<MemcachedOutputCacheOptions>
    {
        public ValidateOptionsResult Validate(string? name, MemcachedOutputCacheOptions options)
        {
            if (options.ServiceKey is { Length: 0 })
            {
                return ValidateOptionsResult.Fail("MemcachedOutputCacheOptions.ServiceKey is empty: name a cache that AddKeyedMemcachedDistributedCache registered, or leave it null.");
            }

            if (options.MaximumTags is < 1 or > 1000)
            {
                return ValidateOptionsResult.Fail(
                    $"MemcachedOutputCacheOptions.MaximumTags is {options.MaximumTags}: use a whole number from 1 to 1000, such as 64.");
            }

            return options.ClockTolerance < TimeSpan.Zero || options.ClockTolerance > TimeSpan.FromMinutes(1)
                ? ValidateOptionsResult.Fail(
                    $"MemcachedOutputCacheOptions.ClockTolerance is {options.ClockTolerance}: use a time from 00:00:00 to 00:01:00, such as 00:00:01."
                )
                : ValidateOptionsResult.Success;
        }
    }
}
