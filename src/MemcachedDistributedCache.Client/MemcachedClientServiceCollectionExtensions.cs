using System.Diagnostics.Metrics;
using MemcachedDistributedCache;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Options;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers memcached clients.</summary>
public static class MemcachedClientServiceCollectionExtensions
{
    /// <summary>
    /// Registers <see cref="IMemcachedClient"/> with connections of its own. An application that has called
    /// <c>AddMemcachedDistributedCache</c> or <c>AddMemcachedHybridCache</c> needs no such call: it has a client on the connections of the
    /// cache already, in whose place this one is put. Calling it again changes options and registers nothing twice.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="connectionString">The servers, separated by commas: <c>mc1:11211,mc2:11211;weight=2,[::1]:11213</c>.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddMemcachedClient(this IServiceCollection services, string connectionString)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        return services.AddMemcachedClient(options => options.Servers = [.. ServerSpec.Split(connectionString)]);
    }

    /// <inheritdoc cref="AddMemcachedClient(IServiceCollection, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddMemcachedClient(this IServiceCollection services, Action<MemcachedClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        ClientRegistration.OfClients.Configure(AddClient(services, Options.Options.DefaultName), configure);
        return services;
    }

    /// <inheritdoc cref="AddMemcachedClient(IServiceCollection, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="section">
    /// Holds the options by their names. <c>Servers</c> is a list, or one text with commas. A name that is no option ends the
    /// start with an error.
    /// </param>
    public static IServiceCollection AddMemcachedClient(this IServiceCollection services, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(section);
        ClientRegistration.OfClients.Bind(AddClient(services, Options.Options.DefaultName), section);
        return services;
    }

    /// <summary>Registers one more client, on servers of its own, as keyed <see cref="IMemcachedClient"/>. Its options go by the same name.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key, such as <c>"counters"</c> for <c>[FromKeyedServices("counters")]</c>.</param>
    /// <param name="connectionString">The servers, separated by commas: <c>mc1:11211,mc2:11211;weight=2,[::1]:11213</c>.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddKeyedMemcachedClient(this IServiceCollection services, string name, string connectionString)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        return services.AddKeyedMemcachedClient(name, options => options.Servers = [.. ServerSpec.Split(connectionString)]);
    }

    /// <inheritdoc cref="AddKeyedMemcachedClient(IServiceCollection, string, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key.</param>
    /// <param name="configure">Sets the options.</param>
    public static IServiceCollection AddKeyedMemcachedClient(this IServiceCollection services, string name, Action<MemcachedClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(configure);
        ClientRegistration.OfClients.Configure(AddClient(services, name), configure);
        return services;
    }

    /// <inheritdoc cref="AddKeyedMemcachedClient(IServiceCollection, string, string)"/>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key.</param>
    /// <param name="section">Holds the options by their names.</param>
    public static IServiceCollection AddKeyedMemcachedClient(this IServiceCollection services, string name, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(section);
        ClientRegistration.OfClients.Bind(AddClient(services, name), section);
        return services;
    }

    private static OptionsBuilder<MemcachedClientOptions> AddClient(IServiceCollection services, string name)
    {
        if (name.Length != 0)
        {
            if (!services.Any(service => service.ServiceType == typeof(MemcachedClient) && name.Equals(service.ServiceKey)))
            {
                services.AddKeyedSingleton(name, static (provider, key) => Create(provider, (string)key!));
                services.AddKeyedSingleton<IMemcachedClient>(name, static (provider, key) => provider.GetRequiredKeyedService<MemcachedClient>(key));
            }
        }
        else if (!services.Any(static service => service.ServiceType == typeof(MemcachedClient) && !service.IsKeyedService))
        {
            // Added, not tried: whoever asks for connections of their own wants them in place of a cache's.
            services.AddSingleton(static provider => Create(provider, Options.Options.DefaultName));
            services.AddSingleton<IMemcachedClient>(static provider => provider.GetRequiredService<MemcachedClient>());
        }

        return ClientRegistration.OfClients.Add(services, name);
    }

    private static MemcachedClient Create(IServiceProvider provider, string name)
    {
        ILoggerFactory? loggers = provider.GetService<ILoggerFactory>();
        ILogger? logger = loggers?.CreateLogger<MemcachedClient>();
        MemcachedClientOptions atStart = ClientRegistration.AtStart<MemcachedClientOptions>(provider, name, logger);
        ClientParts parts = ClientParts.Make(atStart, loggers, provider.GetService<IMeterFactory>(), name.Length == 0 ? null : name);
        parts.Own(ClientRegistration.OfClients.Follow(
            provider,
            name,
            atStart,
            logger,
            servers => _ = parts.Cluster.ReloadAsync(DiscoveryEndpoint.Without(servers))));
        return new MemcachedClient(parts);
    }
}
