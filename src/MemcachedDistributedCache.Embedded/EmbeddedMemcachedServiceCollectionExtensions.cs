using MemcachedDistributedCache.Embedded;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers an embedded memcached with a container.</summary>
public static class EmbeddedMemcachedServiceCollectionExtensions
{
    private const int DefaultNodes = 3;

    /// <summary>
    /// By convention a memcached cache of the same container looks for its servers under this key when its options name
    /// none; a keyed one with a colon and its own key behind.
    /// </summary>
    private const string ServersKey = "memcached-servers";

    /// <summary>
    /// Registers one <see cref="EmbeddedMemcached"/> for the container's lifetime: started when it is first resolved, and
    /// closed with the container. A memcached cache of the same container whose options name no servers uses its nodes;
    /// one that has servers of its own uses those, and warns. A second registration changes nothing.
    /// </summary>
    /// <param name="services">The services to add to.</param>
    /// <param name="configure">Changes the settings; <see cref="EmbeddedMemcachedOptions.Nodes"/> starts at 3, enough
    /// to see keys spread.</param>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static IServiceCollection AddEmbeddedMemcached(this IServiceCollection services, Action<EmbeddedMemcachedOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton(_ => Start(configure));
        services.TryAddKeyedSingleton<IReadOnlyList<string>>(
            ServersKey,
            static (provider, _) => provider.GetRequiredService<EmbeddedMemcached>().Servers);
        return services;
    }

    /// <summary>
    /// Registers one more <see cref="EmbeddedMemcached"/> under a service key, for the cache that is registered with the same key:
    /// <c>AddKeyedEmbeddedMemcached("reports")</c> for <c>AddKeyedMemcachedDistributedCache("reports", …)</c>.
    /// Otherwise as <see cref="AddEmbeddedMemcached"/>.
    /// </summary>
    /// <param name="services">The services to add to.</param>
    /// <param name="name">The service key.</param>
    /// <param name="configure">Changes the settings; <see cref="EmbeddedMemcachedOptions.Nodes"/> starts at 3.</param>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> or <paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    public static IServiceCollection AddKeyedEmbeddedMemcached(
        this IServiceCollection services,
        string name,
        Action<EmbeddedMemcachedOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        services.TryAddKeyedSingleton(name, (_, _) => Start(configure));
        services.TryAddKeyedSingleton<IReadOnlyList<string>>(
            $"{ServersKey}:{name}",
            (provider, _) => provider.GetRequiredKeyedService<EmbeddedMemcached>(name).Servers);
        return services;
    }

    private static EmbeddedMemcached Start(Action<EmbeddedMemcachedOptions>? configure)
    {
        var options = new EmbeddedMemcachedOptions { Nodes = DefaultNodes };
        configure?.Invoke(options);
        return EmbeddedMemcached.Start(options);
    }
}
