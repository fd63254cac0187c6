using System.Diagnostics.Metrics;
using System.Globalization;
using System.Threading.RateLimiting;
using MemcachedDistributedCache;
using MemcachedDistributedCache.AspNetCore;
using MemcachedDistributedCache.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.AspNetCore.RateLimiting;

/// <summary>Adds policies to ASP.NET Core's rate limiting whose limits hold for all processes together, by counters on memcached.</summary>
public static class MemcachedRateLimiterOptionsExtensions
{
    /// <summary>Adds a policy with a fixed window for all requests together, for <c>RequireRateLimiting(policyName)</c>.</summary>
    /// <param name="options">The options of <c>AddRateLimiter</c>.</param>
    /// <param name="policyName">The policy's name; all processes with the same name, namespace and window share the limit.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The options.</returns>
    /// <exception cref="OptionsValidationException">An option is out of its range.</exception>
    public static RateLimiterOptions AddMemcachedFixedWindow(
        this RateLimiterOptions options,
        string policyName,
        Action<MemcachedFixedWindowRateLimiterOptions> configure)
        => options.AddMemcachedFixedWindow(policyName, static _ => null, configure);

    /// <summary>Adds a policy with a fixed window for each partition of the requests.</summary>
    /// <param name="options">The options of <c>AddRateLimiter</c>.</param>
    /// <param name="policyName">The policy's name; all processes with the same name, namespace and window share the limit.</param>
    /// <param name="partitionKey">
    /// Gives a request's partition, such as the user's name or the caller's address. Any text will do, also one that the caller has
    /// chosen: keys are hashed. All requests for which it is null are one partition.
    /// </param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>The options.</returns>
    /// <exception cref="OptionsValidationException">An option is out of its range.</exception>
    public static RateLimiterOptions AddMemcachedFixedWindow(
        this RateLimiterOptions options,
        string policyName,
        Func<HttpContext, string?> partitionKey,
        Action<MemcachedFixedWindowRateLimiterOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var settings = new MemcachedFixedWindowRateLimiterOptions();
        configure(settings);
        return Add(options, policyName, partitionKey, settings);
    }

    /// <summary>Adds a policy with a sliding window for all requests together, for <c>RequireRateLimiting(policyName)</c>.</summary>
    /// <inheritdoc cref="AddMemcachedFixedWindow(RateLimiterOptions, string, Action{MemcachedFixedWindowRateLimiterOptions})"/>
    public static RateLimiterOptions AddMemcachedSlidingWindow(
        this RateLimiterOptions options,
        string policyName,
        Action<MemcachedSlidingWindowRateLimiterOptions> configure)
        => options.AddMemcachedSlidingWindow(policyName, static _ => null, configure);

    /// <summary>Adds a policy with a sliding window for each partition of the requests.</summary>
    /// <inheritdoc cref="AddMemcachedFixedWindow(RateLimiterOptions, string, Func{HttpContext, string}, Action{MemcachedFixedWindowRateLimiterOptions})"/>
    public static RateLimiterOptions AddMemcachedSlidingWindow(
        this RateLimiterOptions options,
        string policyName,
        Func<HttpContext, string?> partitionKey,
        Action<MemcachedSlidingWindowRateLimiterOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var settings = new MemcachedSlidingWindowRateLimiterOptions();
        configure(settings);
        return Add(options, policyName, partitionKey, settings);
    }

    /// <summary>
    /// Lets requests that any limiter refuses be answered with 429 and, where the limiter tells when to come again, <c>Retry-After</c> in
    /// whole seconds. An <see cref="RateLimiterOptions.OnRejected"/> that was set before runs after that.
    /// </summary>
    /// <param name="options">The options of <c>AddRateLimiter</c>.</param>
    /// <returns>The options.</returns>
    public static RateLimiterOptions RejectWithRetryAfter(this RateLimiterOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        Func<OnRejectedContext, CancellationToken, ValueTask>? before = options.OnRejected;
        options.OnRejected = (context, cancellationToken) =>
        {
            if (context.Lease.TryGetMetadata(MetadataName.RetryAfter, out TimeSpan retryAfter))
            {
                context.HttpContext.Response.Headers.RetryAfter =
                    Math.Max(1, Math.Ceiling(retryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            }

            return before?.Invoke(context, cancellationToken) ?? default;
        };
        return options;
    }

    private static RateLimiterOptions Add(
        RateLimiterOptions options,
        string policyName,
        Func<HttpContext, string?> partitionKey,
        MemcachedRateLimiterOptions limiter)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(policyName);
        ArgumentNullException.ThrowIfNull(partitionKey);

        // The middleware attempts on the thread of the request, and waits only then.
        RateLimiterSettings settings = RateLimiterSettings.From(policyName, limiter) with { BlockingAttempts = false };
        string? serviceKey = limiter.ServiceKey;
        return options.AddPolicy(policyName, context =>
        {
            IServiceProvider services = context.RequestServices;
            return RateLimitPartition.Get(
                new Partition(partitionKey(context)),
                partition => new MemcachedRateLimiter(
                    Find(services, policyName, serviceKey),
                    settings,
                    partition.Key,
                    services.GetService<TimeProvider>(),
                    services.GetService<ILoggerFactory>(),
                    services.GetService<IMeterFactory>()));
        });
    }

    private static IMemcachedClient Find(IServiceProvider services, string policyName, string? serviceKey)
        => (serviceKey is null ? services.GetService<IMemcachedClient>() : services.GetKeyedService<IMemcachedClient>(serviceKey))
            ?? throw new InvalidOperationException(serviceKey is null
                ? $"There is no memcached client for the rate limiting policy '{policyName}': call AddMemcachedClient(...) or "
                    + "AddMemcachedDistributedCache(...), or name the service key of another client in ServiceKey."
                : $"There is no memcached client with the service key '{serviceKey}' for the rate limiting policy '{policyName}': call "
                    + $"AddKeyedMemcachedClient(\"{serviceKey}\", ...).");

    /// <summary>A key that may be null.</summary>
    private readonly record struct Partition(string? Key);
}
