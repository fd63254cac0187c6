using Medallion.Threading;
using MemcachedDistributedCache;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers locks on memcached.</summary>
public static class MemcachedLockServiceCollectionExtensions
{
    /// <summary>
    /// Registers <see cref="IDistributedLockProvider"/> on the container's <see cref="IMemcachedClient"/>, which
    /// <c>AddMemcachedClient</c> or a registration of a cache brings. Calling it again changes options and registers nothing twice.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the options, which are checked when the host starts.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddMemcachedLocks(this IServiceCollection services, Action<MemcachedLockOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        AddOptions(services, Microsoft.Extensions.Options.Options.DefaultName, configure);
        services.TryAddSingleton(static provider => new MemcachedDistributedSynchronizationProvider(
            provider.GetRequiredService<IMemcachedClient>(),
            provider.GetRequiredService<IOptionsMonitor<MemcachedLockOptions>>().CurrentValue));
        services.TryAddSingleton<IDistributedLockProvider>(static provider => provider.GetRequiredService<MemcachedDistributedSynchronizationProvider>());
        return services;
    }

    /// <summary>Registers a keyed <see cref="IDistributedLockProvider"/> on the keyed <see cref="IMemcachedClient"/> of the same name.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The service key, such as <c>"jobs"</c> for <c>[FromKeyedServices("jobs")]</c>; the options go by it too.</param>
    /// <param name="configure">Sets the options, which are checked when the host starts.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddKeyedMemcachedLocks(this IServiceCollection services, string name, Action<MemcachedLockOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        AddOptions(services, name, configure);
        services.TryAddKeyedSingleton(name, static (provider, key) => new MemcachedDistributedSynchronizationProvider(
            provider.GetRequiredKeyedService<IMemcachedClient>(key),
            provider.GetRequiredService<IOptionsMonitor<MemcachedLockOptions>>().Get((string)key!)));
        services.TryAddKeyedSingleton<IDistributedLockProvider>(
            name,
            static (provider, key) => provider.GetRequiredKeyedService<MemcachedDistributedSynchronizationProvider>(key));
        return services;
    }

    private static void AddOptions(IServiceCollection services, string name, Action<MemcachedLockOptions>? configure)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<MemcachedLockOptions>, MemcachedLockOptionsRules>());
        OptionsBuilder<MemcachedLockOptions> builder = services.AddOptions<MemcachedLockOptions>(name).ValidateOnStart();
        if (configure is not null)
        {
            builder.Configure(configure);
        }
    }
}
