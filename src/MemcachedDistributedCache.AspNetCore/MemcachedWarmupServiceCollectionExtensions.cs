using System.Diagnostics.Metrics;
using MemcachedDistributedCache.AspNetCore;
using MemcachedDistributedCache.AspNetCore.Warmup;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers warm-ups.</summary>
public static class MemcachedWarmupServiceCollectionExtensions
{
    /// <summary>
    /// Fills keys when the application has started, behind it, several at a time: for each item that <paramref name="items"/> gives,
    /// <paramref name="fill"/> runs once, with whatever cache or client it takes from the services. An item that fails is counted and
    /// logged, and the others go on; no failure ends the application. The end of the application ends the warm-up.
    /// </summary>
    /// <typeparam name="TItem">The type of what <paramref name="fill"/> needs for one item, such as an id.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="name">The warm-up's name in the log, the metric and the health check; another warm-up needs another.</param>
    /// <param name="items">Gives the items, in the order of their weight; with a scope of its own.</param>
    /// <param name="fill">Fills the keys of an item; each call has a scope of its own.</param>
    /// <param name="configure">Sets the options. Default: null, none.</param>
    /// <returns>The services.</returns>
    /// <exception cref="ArgumentException">The name is empty, or another warm-up has it.</exception>
    /// <exception cref="OptionsValidationException">An option is out of its range.</exception>
    public static IServiceCollection AddMemcachedWarmup<TItem>(
        this IServiceCollection services,
        string name,
        Func<IServiceProvider, CancellationToken, IAsyncEnumerable<TItem>> items,
        Func<TItem, IServiceProvider, CancellationToken, ValueTask> fill,
        Action<MemcachedWarmupOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(fill);
        var options = new MemcachedWarmupOptions();
        configure?.Invoke(options);
        string[] failures = [.. options.Validate()];
        if (failures.Length != 0)
        {
            throw new OptionsValidationException(name, typeof(MemcachedWarmupOptions), failures);
        }

        var taken = new WarmupName(name);
        if (services.Any(service => taken.Equals(service.ImplementationInstance)))
        {
            throw new ArgumentException($"There is a warm-up with the name '{name}' already: give this one another.", nameof(name));
        }

        services.AddSingleton(taken);
        return services.AddSingleton<IHostedService>(provider => new WarmupService<TItem>(
            new WarmupProgress(
                name,
                (provider.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance).CreateLogger<WarmupProgress>(),
                provider.GetService<IMeterFactory>()),
            options.MaximumParallelism,
            options.MaximumFailures,
            provider,
            items,
            fill));
    }
}
