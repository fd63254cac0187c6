using MemcachedDistributedCache;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers hybrid caches on memcached.</summary>
public static class MemcachedHybridCacheServiceCollectionExtensions
{
    /// <summary>
    /// Registers <see cref="MemcachedHybridCache"/> as the application's <see cref="HybridCache"/>, and the
    /// <see cref="MemcachedCache"/> below it as <c>AddMemcachedDistributedCache</c> does: both have one cluster, one
    /// set of options and the same connections. Calling it again changes options and registers nothing twice.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="connectionString">The servers, separated by commas: <c>mc1:11211,mc2:11211;weight=2,[::1]:11213</c>.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddMemcachedHybridCache(this IServiceCollection services, string connectionString)
        => AddCache(services.AddMemcachedDistributedCache(connectionString));

    /// <inheritdoc cref="AddMemcachedHybridCache(IServiceCollection, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options, those of the hybrid cache in <see cref="MemcachedCacheOptions.Hybrid"/>.</param>
    public static IServiceCollection AddMemcachedHybridCache(this IServiceCollection services, Action<MemcachedCacheOptions> configure)
        => AddCache(services.AddMemcachedDistributedCache(configure));

    /// <inheritdoc cref="AddMemcachedHybridCache(IServiceCollection, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options from other services.</param>
    public static IServiceCollection AddMemcachedHybridCache(
        this IServiceCollection services,
        Action<MemcachedCacheOptions, IServiceProvider> configure)
        => AddCache(services.AddMemcachedDistributedCache(configure));

    /// <inheritdoc cref="AddMemcachedHybridCache(IServiceCollection, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="section">
    /// Holds the options by their names, those of the hybrid cache in the sub-section <c>Hybrid</c>. A name that is no
    /// option ends the start with an error.
    /// </param>
    public static IServiceCollection AddMemcachedHybridCache(this IServiceCollection services, IConfiguration section)
        => AddCache(services.AddMemcachedDistributedCache(section));

    /// <summary>
    /// Registers one more <see cref="MemcachedHybridCache"/>, on servers of its own, as keyed <see cref="HybridCache"/>, and the keyed
    /// <see cref="MemcachedCache"/> below it. Its options go by the same name.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key, such as <c>"reports"</c> for <c>[FromKeyedServices("reports")]</c>.</param>
    /// <param name="connectionString">The servers, separated by commas.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddKeyedMemcachedHybridCache(this IServiceCollection services, string name, string connectionString)
        => AddCache(services.AddKeyedMemcachedDistributedCache(name, connectionString), name);

    /// <inheritdoc cref="AddKeyedMemcachedHybridCache(IServiceCollection, string, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddKeyedMemcachedHybridCache(
        this IServiceCollection services,
        string name,
        Action<MemcachedCacheOptions> configure)
        => AddCache(services.AddKeyedMemcachedDistributedCache(name, configure), name);

    /// <inheritdoc cref="AddKeyedMemcachedHybridCache(IServiceCollection, string, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key.</param>
    /// <param name="section">Holds the options by their names.</param>
    public static IServiceCollection AddKeyedMemcachedHybridCache(this IServiceCollection services, string name, IConfiguration section)
        => AddCache(services.AddKeyedMemcachedDistributedCache(name, section), name);

    private static IServiceCollection AddCache(IServiceCollection services)
    {
        if (!services.Any(static service => service.ServiceType == typeof(MemcachedHybridCache) && !service.IsKeyedService))
        {
            // Added, not tried, like the cache below: whoever asks for memcached wants it in place of what something
            // else registered before.
            services.AddSingleton(static provider => Create(provider, provider.GetRequiredService<MemcachedCache>()));
            services.AddSingleton<HybridCache>(static provider => provider.GetRequiredService<MemcachedHybridCache>());
        }

        return services;
    }

    private static IServiceCollection AddCache(IServiceCollection services, string name)
    {
        if (!services.Any(service => service.ServiceType == typeof(MemcachedHybridCache) && name.Equals(service.ServiceKey)))
        {
            services.AddKeyedSingleton(name, static (provider, key) => Create(provider, provider.GetRequiredKeyedService<MemcachedCache>(key)));
            services.AddKeyedSingleton<HybridCache>(name, static (provider, key) => provider.GetRequiredKeyedService<MemcachedHybridCache>(key));
        }

        return services;
    }

    private static MemcachedHybridCache Create(IServiceProvider provider, MemcachedCache cache)
        => new(cache, provider, provider.GetService<ILoggerFactory>());
}
