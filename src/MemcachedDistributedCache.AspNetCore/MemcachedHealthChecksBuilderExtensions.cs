using MemcachedDistributedCache.AspNetCore.HealthChecks;
using MemcachedDistributedCache.AspNetCore.Warmup;
using MemcachedDistributedCache;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers health checks of memcached.</summary>
public static class MemcachedHealthChecksBuilderExtensions
{
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Adds a check that asks every server of a <see cref="MemcachedCache"/> for a sign of life, over the connection
    /// that the cache uses. It is healthy when all answer, degraded when some do not, and has
    /// <paramref name="failureStatus"/> when none or fewer than <paramref name="quorum"/> do. Its data have the names
    /// of the servers that do not answer under <c>down</c>, and each server's version and time, or the reason, under
    /// its name.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="name">The check's name; another registration needs another. Default: <c>memcached</c>.</param>
    /// <param name="failureStatus">What is reported when too few servers answer. Default: <see cref="HealthStatus.Unhealthy"/>.</param>
    /// <param name="tags">Tags to choose checks by. Default: none.</param>
    /// <param name="timeout">How long to wait for an answer, 10 milliseconds to 1 minute; the cache's
    /// <see cref="MemcachedClientOptions.OperationTimeout"/> holds besides. Default: 1 second.</param>
    /// <param name="quorum">How many servers must answer, 1 or more. Default: 1.</param>
    /// <param name="serviceKey">The service key of a cache that <c>AddKeyedMemcachedDistributedCache</c> registered.
    /// Default: null, the application's own.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The name or the service key is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The timeout or the quorum is out of its range.</exception>
    public static IHealthChecksBuilder AddMemcached(
        this IHealthChecksBuilder builder,
        string name = "memcached",
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null,
        TimeSpan? timeout = null,
        int quorum = 1,
        string? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfLessThan(quorum, 1);
        TimeSpan limit = timeout ?? DefaultTimeout;
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, TimeSpan.FromMilliseconds(10), nameof(timeout));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, LongestTimeout, nameof(timeout));
        if (serviceKey is not null)
        {
            ArgumentException.ThrowIfNullOrEmpty(serviceKey);
        }

        return builder.Add(
            new HealthCheckRegistration(
                name,
                provider => new MemcachedHealthCheck(Find(provider, serviceKey), quorum, limit),
                failureStatus,
                tags));
    }

    /// <summary>
    /// Adds a check for readiness that has <paramref name="failureStatus"/> until every warm-up of <c>AddMemcachedWarmup</c> has ended, and
    /// also afterwards for one that was given up because more items failed than may. Its data have each warm-up's progress under its name.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="name">The check's name. Default: <c>memcached-warmup</c>.</param>
    /// <param name="failureStatus">What is reported until then. Default: <see cref="HealthStatus.Unhealthy"/>.</param>
    /// <param name="tags">Tags to choose checks by. Default: none.</param>
    /// <param name="limit">How long after its start a warm-up is waited for, more than zero; then the check is degraded, which is ready.
    /// Default: null, as long as it takes.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not more than zero.</exception>
    public static IHealthChecksBuilder AddMemcachedWarmup(
        this IHealthChecksBuilder builder,
        string name = "memcached-warmup",
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null,
        TimeSpan? limit = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (limit is { } given)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(given, TimeSpan.Zero, nameof(limit));
        }

        return builder.Add(new HealthCheckRegistration(
            name,
            provider => new WarmupHealthCheck(FindWarmups(provider), limit),
            failureStatus,
            tags));
    }

    private static WarmupService[] FindWarmups(IServiceProvider provider)
        => provider.GetServices<IHostedService>().OfType<WarmupService>().ToArray() is { Length: > 0 } warmups
            ? warmups
            : throw new InvalidOperationException(
                "There is no warm-up for the health check to wait for: call AddMemcachedWarmup(...) on the services.");

    private static MemcachedCache Find(IServiceProvider provider, string? serviceKey)
        => (serviceKey is null ? provider.GetService<MemcachedCache>() : provider.GetKeyedService<MemcachedCache>(serviceKey))
            ?? throw new InvalidOperationException(serviceKey is null
                ? "There is no memcached cache for the health check: call AddMemcachedDistributedCache(...), or name the service key of another cache in AddMemcached."
                : $"There is no memcached cache with the service key '{serviceKey}' for the health check: call AddKeyedMemcachedDistributedCache(\"{serviceKey}\", ...).");
}
