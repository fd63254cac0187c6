using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// Tells of changed options. Such that are not valid are logged: the options themselves throw in the thread that
/// changed the configuration, which for a file is one that nobody looks at.
/// </summary>
internal sealed class OptionsFollower<
    [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] TOptions> : IDisposable
    where TOptions : MemcachedClientOptions
{
    private readonly List<IDisposable> _registrations = [];
    private readonly OptionNames _names;
    private readonly Dictionary<string, object?> _atStart;
    private readonly ILogger? _logger;
    private readonly Lock _lock = new();
    private Dictionary<string, object?> _last;

    public OptionsFollower(
        IServiceProvider provider,
        string name,
        OptionNames names,
        TOptions atStart,
        ILogger? logger,
        Action<TOptions> changed)
    {
        _names = names;
        _last = _atStart = names.FixedValues(atStart);
        _logger = logger;
        IOptionsMonitor<TOptions> monitor = provider.GetRequiredService<IOptionsMonitor<TOptions>>();
        if (monitor.OnChange((options, which) => ChangedIf(which == name, options, changed)) is { } registration)
        {
            _registrations.Add(registration);
        }

        if (logger is null)
        {
            return;
        }

        IOptionsFactory<TOptions> factory = provider.GetRequiredService<IOptionsFactory<TOptions>>();
        foreach (IOptionsChangeTokenSource<TOptions> source in provider.GetServices<IOptionsChangeTokenSource<TOptions>>())
        {
            if (source.Name is null || source.Name == name)
            {
                _registrations.Add(ChangeToken.OnChange(source.GetChangeToken, () => LogIfRefused(factory, name, logger)));
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _registrations.ForEach(static registration => registration.Dispose());

    private void ChangedIf(bool isOurs, TOptions options, Action<TOptions> changed)
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
    private void LogIfIgnored(TOptions options)
    {
        Dictionary<string, object?> now = _names.FixedValues(options);
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

    private static void LogIfRefused(IOptionsFactory<TOptions> factory, string name, ILogger logger)
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
