using System.Diagnostics.Metrics;
using MemcachedDistributedCache.AspNetCore.Diagnostics;
using MemcachedDistributedCache.AspNetCore.OutputCaching;
using MemcachedDistributedCache.AspNetCore;
using MemcachedDistributedCache;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers output caching on memcached.</summary>
public static class MemcachedOutputCacheServiceCollectionExtensions
{
    /// <summary>The service key of the cache that a connection string makes.</summary>
    private const string OwnCache = "MemcachedOutputCache";

    /// <summary>
    /// Registers output caching (<c>AddOutputCache</c>) with its pages in the application's <see cref="MemcachedCache"/>, which
    /// <c>AddMemcachedDistributedCache</c> registers, before or after. Takes the place of any other store, whatever the
    /// order. The middleware is added by <c>UseOutputCache</c> as always.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddMemcachedOutputCache(this IServiceCollection services)
        => services.AddMemcachedOutputCache(static _ => { });

    /// <inheritdoc cref="AddMemcachedOutputCache(IServiceCollection)"/>
    /// <param name="services">The services.</param>
    /// <param name="connectionString">Servers for the pages alone, separated by commas:
    /// <c>mc1:11211,mc2:11211;weight=2</c>. The cache on them is keyed <c>"MemcachedOutputCache"</c>.</param>
    public static IServiceCollection AddMemcachedOutputCache(this IServiceCollection services, string connectionString)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(connectionString);
        return services
            .AddKeyedMemcachedDistributedCache(OwnCache, connectionString)
            .AddMemcachedOutputCache(static options => options.ServiceKey = OwnCache);
    }

    /// <inheritdoc cref="AddMemcachedOutputCache(IServiceCollection)"/>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddMemcachedOutputCache(this IServiceCollection services, Action<MemcachedOutputCacheOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.AddOutputCache();
        services.AddHttpContextAccessor();
        services.AddMetrics();
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<MemcachedOutputCacheOptions>, MemcachedOutputCacheOptions.Validator>());
        services.AddOptions<MemcachedOutputCacheOptions>().Configure(configure).ValidateOnStart();
        if (!services.Any(static service => service.ServiceType == typeof(MemcachedOutputCacheStore)))
        {
            services.AddSingleton(static _ => new MemcachedOutputCacheStatistics());
            services.AddSingleton(Create);
            services.AddTransient<IStartupFilter, ArrivalFilter>();

            // Added, not tried: AddOutputCache has put its store in memory there already.
            services.AddSingleton<IOutputCacheStore>(static provider => provider.GetRequiredService<MemcachedOutputCacheStore>());
        }

        return services;
    }

    private static MemcachedOutputCacheStore Create(IServiceProvider provider)
    {
        MemcachedOutputCacheOptions options = provider.GetRequiredService<IOptions<MemcachedOutputCacheOptions>>().Value;
        MemcachedCache cache = (options.ServiceKey is { } key ? provider.GetKeyedService<MemcachedCache>(key) : provider.GetService<MemcachedCache>())
            ?? throw new InvalidOperationException(options.ServiceKey is { } missing
                ? $"There is no memcached cache with the service key '{missing}' of MemcachedOutputCacheOptions.ServiceKey: call AddKeyedMemcachedDistributedCache(\"{missing}\", ...)."
                : "There is no memcached cache for output caching: call AddMemcachedDistributedCache(...), or give AddMemcachedOutputCache a connection string.");
        MemcachedOutputCacheStatistics statistics = provider.GetRequiredService<MemcachedOutputCacheStatistics>();
        OutputCacheMetrics.Publish(provider.GetRequiredService<IMeterFactory>(), statistics, options.ServiceKey);
        return new MemcachedOutputCacheStore(
            cache,
            options,
            statistics,
            provider.GetRequiredService<IHttpContextAccessor>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            (provider.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance).CreateLogger<MemcachedOutputCacheStore>());
    }
}
