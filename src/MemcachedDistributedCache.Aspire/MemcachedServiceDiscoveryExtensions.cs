using MemcachedDistributedCache;
using MemcachedDistributedCache.Aspire;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.ServiceDiscovery;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Lets memcached caches find their servers by Microsoft.Extensions.ServiceDiscovery.</summary>
public static class MemcachedServiceDiscoveryExtensions
{
    /// <summary>
    /// Lets the application's memcached cache find its servers by service discovery, in place of
    /// <see cref="MemcachedClientOptions.Servers"/>. It configures the cache that <c>AddMemcachedHybridCache</c> or
    /// <c>AddMemcachedDistributedCache</c> registers, and may stand before or behind that call. The application adds the providers
    /// of endpoints: <c>AddServiceDiscovery()</c>, or <c>AddServiceDiscoveryCore()</c> with providers of its own. Servers that join
    /// or leave are followed. An answer without endpoints, or with one that is no server, changes nothing and is logged (event 1021).
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="serviceName">
    /// The service as service discovery knows it: <c>"mc"</c>, or <c>"_tcp.mc"</c> for its endpoint that is called <c>tcp</c>.
    /// </param>
    /// <returns>The services.</returns>
    /// <exception cref="ArgumentException">The name of the service is null or empty.</exception>
    public static IServiceCollection AddMemcachedServiceDiscovery(this IServiceCollection services, string serviceName)
        => Add(services, Options.Options.DefaultName, serviceName);

    /// <summary>
    /// The same as <see cref="AddMemcachedServiceDiscovery"/>, for the cache that <c>AddKeyedMemcachedHybridCache</c> or
    /// <c>AddKeyedMemcachedDistributedCache</c> registers.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key of the cache.</param>
    /// <param name="serviceName">The service as service discovery knows it.</param>
    /// <returns>The services.</returns>
    /// <exception cref="ArgumentException">The service key, or the name of the service, is null or empty.</exception>
    public static IServiceCollection AddKeyedMemcachedServiceDiscovery(this IServiceCollection services, string name, string serviceName)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return Add(services, name, serviceName);
    }

    private static IServiceCollection Add(IServiceCollection services, string name, string serviceName)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(serviceName);

        // Without providers: those that the application adds later would come behind the one that answers for any name.
        services.AddServiceDiscoveryCore();
        services
            .AddOptions<MemcachedCacheOptions>(name)
            .Configure<ServiceEndpointResolver>((options, resolver) => options.UseServerSource(new ServiceEndpoints(resolver, serviceName)));
        return services;
    }
}
