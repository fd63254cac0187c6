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
        AddCache(services, Options.Options.DefaultName).Configure(options => NamedServers.Configure(options, configure));
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
        AddCache(services, Options.Options.DefaultName)
            .Configure<IServiceProvider>((options, provider) => NamedServers.Configure(options, own => configure(own, provider)));
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
        Bind(AddCache(services, Options.Options.DefaultName), Options.Options.DefaultName, section);
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
        AddCache(services, name).Configure(options => NamedServers.Configure(options, configure));
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
        Bind(AddCache(services, name), name, section);
        return services;
    }

    private static OptionsBuilder<MemcachedCacheOptions> AddCache(IServiceCollection services, string name)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<MemcachedCacheOptions>, MemcachedCacheOptionsValidator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<MemcachedCacheOptions>, MemcachedCacheOptionsRules>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<MemcachedCacheOptions>, OfferedServers>());
        if (name.Length != 0)
        {
            if (!services.Any(service => service.ServiceType == typeof(MemcachedCache) && name.Equals(service.ServiceKey)))
            {
                services.AddKeyedSingleton(name, static (provider, key) => Create(provider, (string)key!));
                services.AddKeyedSingleton<IDistributedCache>(name, static (provider, key) => provider.GetRequiredKeyedService<MemcachedCache>(key));
            }
        }
        else if (!services.Any(static service => service.ServiceType == typeof(MemcachedCache) && !service.IsKeyedService))
        {
            // Added, not tried: whoever asks for memcached wants it in place of a cache that something else registered before.
            services.AddSingleton(static provider => Create(provider, Options.Options.DefaultName));
            services.AddSingleton<IDistributedCache>(static provider => provider.GetRequiredService<MemcachedCache>());
        }

        return services.AddOptions<MemcachedCacheOptions>(name).ValidateOnStart();
    }

    private static void Bind(OptionsBuilder<MemcachedCacheOptions> builder, string name, IConfiguration section)
    {
        builder.Services.AddSingleton<IOptionsChangeTokenSource<MemcachedCacheOptions>>(
            new ConfigurationChangeTokenSource<MemcachedCacheOptions>(name, section));
        builder.Configure(options => NamedServers.Configure(options, own => BindTo(own, section)));
    }

    private static void BindTo(MemcachedCacheOptions options, IConfiguration section)
    {
        OptionNames.ThrowIfUnknown(section);
        IConfigurationSection servers = section.GetSection(nameof(options.Servers));
        if (servers.Exists())
        {
            // The section replaces servers set before; binding alone would add to them.
            options.Servers = [];
        }

        section.Bind(options, static binder => binder.ErrorOnUnknownConfiguration = true);
        if (servers.Value is { Length: > 0 } connectionString)
        {
            options.Servers = [.. ServerSpec.Split(connectionString)];
        }
    }

    private static MemcachedCache Create(IServiceProvider provider, string name)
    {
        IOptionsMonitor<MemcachedCacheOptions> monitor = provider.GetRequiredService<IOptionsMonitor<MemcachedCacheOptions>>();
        MemcachedCacheOptions atStart = monitor.Get(name);
        OfferedServers.WarnIfUnused(provider, name, atStart, provider.GetService<ILoggerFactory>()?.CreateLogger<MemcachedCache>());
        var cache = new MemcachedCache(
            atStart,
            provider.GetService<ILoggerFactory>(),
            provider.GetService<TimeProvider>(),
            provider.GetService<IMeterFactory>(),
            name.Length == 0 ? null : name);
        cache.Own(new OptionsFollower(provider, name, atStart, options => _ = cache.ReloadAsync(options.Servers)));

        // A change that came while the cache was made has told nobody. Where there was none, this changes nothing.
        _ = cache.ReloadAsync(monitor.Get(name).Servers);
        return cache;
    }
}
