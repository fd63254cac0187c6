using MemcachedDistributedCache.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// Tells of changed options. Such that are not valid are logged: the options themselves throw in the thread that changed the configuration, which
/// for a file is one that nobody looks at.
/// </summary>
internal sealed class OptionsFollower : IDisposable
{
    private readonly List<IDisposable> _registrations = [];

    public OptionsFollower(IServiceProvider provider, string name, Action<MemcachedCacheOptions> changed)
    {
        IOptionsMonitor<MemcachedCacheOptions> monitor = provider.GetRequiredService<IOptionsMonitor<MemcachedCacheOptions>>();
        if (monitor.OnChange((options, which) => ChangedIf(which == name, options, changed)) is { } registration)
        {
            _registrations.Add(registration);
        }

        if (provider.GetService<ILoggerFactory>()?.CreateLogger<MemcachedCache>() is not { } logger)
        {
            return;
        }

        IOptionsFactory<MemcachedCacheOptions> factory = provider.GetRequiredService<IOptionsFactory<MemcachedCacheOptions>>();
        foreach (IOptionsChangeTokenSource<MemcachedCacheOptions> source in provider.GetServices<IOptionsChangeTokenSource<MemcachedCacheOptions>>())
        {
            if (source.Name is null || source.Name == name)
            {
                _registrations.Add(ChangeToken.OnChange(source.GetChangeToken, () => LogIfRefused(factory, name, logger)));
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _registrations.ForEach(static registration => registration.Dispose());

    private static void ChangedIf(bool isOurs, MemcachedCacheOptions options, Action<MemcachedCacheOptions> changed)
    {
        if (isOurs)
        {
            changed(options);
        }
    }

    private static void LogIfRefused(IOptionsFactory<MemcachedCacheOptions> factory, string name, ILogger logger)
    {
        try
        {
            factory.Create(name);
        }
        catch (Exception exception)
        {
            // Whatever the application's own configuration code throws: it is the monitor's to pass on.
            Log.ChangeRefused(logger, exception.Message);
        }
    }
}
