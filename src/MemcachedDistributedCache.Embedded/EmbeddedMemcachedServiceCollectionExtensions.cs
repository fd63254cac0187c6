using MemcachedDistributedCache.Embedded;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers an embedded memcached with a container.</summary>
public static class EmbeddedMemcachedServiceCollectionExtensions
{
    private const int DefaultNodes = 3;

    /// <summary>
    /// Registers one <see cref="EmbeddedMemcached"/> for the container's lifetime: started when it is first resolved, and
    /// closed with the container. A second registration changes nothing.
    /// </summary>
    /// <param name="services">The services to add to.</param>
    /// <param name="configure">Changes the settings; <see cref="EmbeddedMemcachedOptions.Nodes"/> starts at 3, enough to see keys spread.</param>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static IServiceCollection AddEmbeddedMemcached(this IServiceCollection services, Action<EmbeddedMemcachedOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton(_ =>
        {
            var options = new EmbeddedMemcachedOptions { Nodes = DefaultNodes };
            configure?.Invoke(options);
            return EmbeddedMemcached.Start(options);
        });
        return services;
    }
}
