using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// Tells of changed options. Such that are not valid are logged: the options themselves throw in the thread that
/// changed the configuration, which for a file is one that nobody looks at.
/// </summary>
internal sealed class OptionsFollower : IDisposable
{
    private readonly List<IDisposable> _registrations = [];
    private readonly Dictionary<string, object?> _atStart;
    private readonly ILogger? _logger;
    private readonly Lock _lock = new();
    private Dictionary<string, object?> _last;

    public OptionsFollower(IServiceProvider provider, string name, MemcachedCacheOptions atStart, Action<MemcachedCacheOptions> changed)
    {
        _last = _atStart = OptionNames.FixedValues(atStart);
        _logger = provider.GetService<ILoggerFactory>()?.CreateLogger<MemcachedCache>();
        IOptionsMonitor<MemcachedCacheOptions> monitor = provider.GetRequiredService<IOptionsMonitor<MemcachedCacheOptions>>();
        if (monitor.OnChange((options, which) => ChangedIf(which == name, options, changed)) is { } registration)
        {
            _registrations.Add(registration);
        }

        if (_logger is not { } logger)
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

    private void ChangedIf(bool isOurs, MemcachedCacheOptions options, Action<MemcachedCacheOptions> changed)
    {
        if (isOurs)
        {
            LogIfIgnored(options);
            changed(options);
        }
    }

    /// <summary>
    /// Says which changed options wait for the next start. A reload that changes nothing more of them is not told
    /// again, nor the second of two that one change sets off.
    /// </summary>
    private void LogIfIgnored(MemcachedCacheOptions options)
    {
        Dictionary<string, object?> now = OptionNames.FixedValues(options);
        Dictionary<string, object?> before;
        lock (_lock)
        {
            (before, _last) = (_last, now);
        }

        string[] ignored =
        [
            .. now.Where(option => !Equals(option.Value, _atStart.GetValueOrDefault(option.Key))).Select(static option => option.Key),
        ];
        if (_logger is { } logger && ignored.Length != 0 && now.Any(option => !Equals(option.Value, before.GetValueOrDefault(option.Key))))
        {
            OptionsLog.ChangeIgnored(logger, string.Join(", ", ignored));
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
            OptionsLog.ChangeRefused(logger, exception.Message);
        }
    }
}
