using System.Diagnostics.Metrics;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Options;
using MemcachedDistributedCache;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers memcached caches.</summary>
public static class MemcachedCacheServiceCollectionExtensions
{
    private static readonly ClientRegistration<MemcachedCacheOptions> Registration = new()
    {
        Names = CacheOptionNames.All,
        Binder = static (section, options) => section.Bind(options, static binder => binder.ErrorOnUnknownConfiguration = true),
        SecondClusterRemedy =
            "AddMemcachedDistributedCache and AddMemcachedHybridCache without a service key are one cache on one cluster: name the servers in one of the calls, or the same ones in both. "
            + "For a second cluster register a cache with a service key: AddKeyedMemcachedDistributedCache(\"name\", ...) or AddKeyedMemcachedHybridCache(\"name\", ...).",
        Rules = [new MemcachedCacheOptionsValidator(), new MemcachedCacheOptionsRules()],
    };

    /// <summary>
    /// Registers <see cref="MemcachedCache"/> as the application's <see cref="IDistributedCache"/>. Calling it again changes options and
    /// registers nothing twice. Two calls that name different servers are an error at start: a second cluster has a service key, see
    /// <c>AddKeyedMemcachedDistributedCache</c>. Where no call names servers and the container has embedded nodes, those are used.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="connectionString">The servers, separated by commas: <c>mc1:11211,mc2:11211;weight=2,[::1]:11213</c>.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddMemcachedDistributedCache(this IServiceCollection services, string connectionString)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        return services.AddMemcachedDistributedCache(options => options.Servers = [.. ServerSpec.Split(connectionString)]);
    }

    /// <inheritdoc cref="AddMemcachedDistributedCache(IServiceCollection, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddMemcachedDistributedCache(this IServiceCollection services, Action<MemcachedCacheOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        Registration.Configure(AddCache(services, Options.Options.DefaultName), configure);
        return services;
    }

    /// <inheritdoc cref="AddMemcachedDistributedCache(IServiceCollection, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options from other services, such as one that knows where the servers are.</param>
    public static IServiceCollection AddMemcachedDistributedCache(
        this IServiceCollection services,
        Action<MemcachedCacheOptions, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        Registration.Configure(AddCache(services, Options.Options.DefaultName), configure);
        return services;
    }

    /// <inheritdoc cref="AddMemcachedDistributedCache(IServiceCollection, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="section">
    /// Holds the options by their names. <c>Servers</c> is a list, or one text with commas. A name that is no option ends the
    /// start with an error.
    /// </param>
    public static IServiceCollection AddMemcachedDistributedCache(this IServiceCollection services, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(section);
        Registration.Bind(AddCache(services, Options.Options.DefaultName), section);
        return services;
    }

    /// <summary>
    /// Registers one more <see cref="MemcachedCache"/>, on servers of its own, as keyed <see cref="IDistributedCache"/>. Its options go by
    /// the same name.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key, such as <c>"sessions"</c> for <c>[FromKeyedServices("sessions")]</c>.</param>
    /// <param name="connectionString">The servers, separated by commas: <c>mc1:11211,mc2:11211;weight=2,[::1]:11213</c>.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddKeyedMemcachedDistributedCache(this IServiceCollection services, string name, string connectionString)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        return services.AddKeyedMemcachedDistributedCache(name, options => options.Servers = [.. ServerSpec.Split(connectionString)]);
    }

    /// <inheritdoc cref="AddKeyedMemcachedDistributedCache(IServiceCollection, string, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddKeyedMemcachedDistributedCache(
        this IServiceCollection services,
        string name,
        Action<MemcachedCacheOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(configure);
        Registration.Configure(AddCache(services, name), configure);
        return services;
    }

    /// <inheritdoc cref="AddKeyedMemcachedDistributedCache(IServiceCollection, string, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key.</param>
    /// <param name="section">Holds the options by their names.</param>
    public static IServiceCollection AddKeyedMemcachedDistributedCache(this IServiceCollection services, string name, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(section);
        Registration.Bind(AddCache(services, name), section);
        return services;
    }

    private static OptionsBuilder<MemcachedCacheOptions> AddCache(IServiceCollection services, string name)
    {
        if (name.Length != 0)
        {
            if (!services.Any(service => service.ServiceType == typeof(MemcachedCache) && name.Equals(service.ServiceKey)))
            {
                services.AddKeyedSingleton(name, static (provider, key) => Create(provider, (string)key!));
                services.AddKeyedSingleton<IDistributedCache>(name, static (provider, key) => provider.GetRequiredKeyedService<MemcachedCache>(key));
                services.TryAddKeyedSingleton(name, static (provider, key) => provider.GetRequiredKeyedService<MemcachedCache>(key).Client);
            }
        }
        else if (!services.Any(static service => service.ServiceType == typeof(MemcachedCache) && !service.IsKeyedService))
        {
            // Added, not tried: whoever asks for memcached wants it in place of a cache that something else registered before.
            services.AddSingleton(static provider => Create(provider, Options.Options.DefaultName));
            services.AddSingleton<IDistributedCache>(static provider => provider.GetRequiredService<MemcachedCache>());

            // Tried: a client with connections of its own, if there is one, has been asked for.
            services.TryAddSingleton(static provider => provider.GetRequiredService<MemcachedCache>().Client);
        }

        return Registration.Add(services, name);
    }

    private static MemcachedCache Create(IServiceProvider provider, string name)
    {
        ILoggerFactory? loggers = provider.GetService<ILoggerFactory>();
        ILogger? logger = loggers?.CreateLogger<MemcachedCache>();
        MemcachedCacheOptions atStart = ClientRegistration.AtStart<MemcachedCacheOptions>(provider, name, logger);
        var cache = new MemcachedCache(
            atStart,
            loggers,
            provider.GetService<TimeProvider>(),
            provider.GetService<IMeterFactory>(),
            name.Length == 0 ? null : name);
        cache.Own(Registration.Follow(provider, name, atStart, logger, servers => _ = cache.ReloadAsync(servers)));
        return cache;
    }
}
