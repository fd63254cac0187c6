using System.Diagnostics.CodeAnalysis;
using MemcachedDistributedCache.Cluster;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Options;

/// <summary>The registration of a client that has no caches, and what is the same for all options.</summary>
internal static class ClientRegistration
{
    /// <summary>The registration of a client that has no caches.</summary>
    public static readonly ClientRegistration<MemcachedClientOptions> OfClients = new()
    {
        Names = OptionNames.Client,
        Binder = static (section, options) => section.Bind(options, static binder => binder.ErrorOnUnknownConfiguration = true),
        SecondClusterRemedy =
            "Registrations without a service key, and those with the same key, are one client on one cluster: "
            + "name the servers in one of the calls, or the same servers in all. "
            + "For a second cluster register a client with a service key of its own.",
        Rules = [new MemcachedClientOptionsValidator(), new MemcachedClientOptionsRules()],
    };

    /// <summary>The options with which a client or cache is made. Warns where servers are offered that the options do not name.</summary>
    public static TOptions AtStart<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] TOptions>(
        IServiceProvider provider,
        string name,
        ILogger? logger)
        where TOptions : MemcachedClientOptions
    {
        TOptions options = provider.GetRequiredService<IOptionsMonitor<TOptions>>().Get(name);
        OfferedServers.WarnIfUnused(provider, name, options, logger);
        return options;
    }
}

/// <summary>
/// The part of a registration that a client and a cache have in common: the options of one class are validated when the host starts,
/// are set in code or by a section of the configuration, and are followed while the application runs.
/// </summary>
/// <typeparam name="TOptions">The class of the options.</typeparam>
internal sealed class ClientRegistration<
    [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] TOptions>
    where TOptions : MemcachedClientOptions
{
    /// <summary>The options by their names.</summary>
    public required OptionNames Names { get; init; }

    /// <summary>
    /// Binds the options to a section. The code that binds is generated, for which the class must stand in the call by its name.
    /// </summary>
    public required Action<IConfiguration, TOptions> Binder { get; init; }

    /// <summary>The advice where two registrations of one name have named different servers.</summary>
    public required string SecondClusterRemedy { get; init; }

    /// <summary>The rules of each option by itself, and those between options.</summary>
    public required IReadOnlyList<IValidateOptions<TOptions>> Rules { get; init; }

    /// <summary>Adds the options with their rules. A second call adds nothing, and gives the same options to set.</summary>
    public OptionsBuilder<TOptions> Add(IServiceCollection services, string name)
    {
        services.TryAddEnumerable(Rules.Select(static rules => ServiceDescriptor.Singleton(rules)));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<TOptions>, OfferedServers>());
        return services.AddOptions<TOptions>(name).ValidateOnStart();
    }

    /// <summary>Lets the caller of a registration set the options.</summary>
    public void Configure(OptionsBuilder<TOptions> builder, Action<TOptions> configure)
        => builder.Configure(options => NamedServers.Configure(options, configure, SecondClusterRemedy));

    /// <summary>Lets the caller of a registration set the options from other services.</summary>
    public void Configure(OptionsBuilder<TOptions> builder, Action<TOptions, IServiceProvider> configure)
        => builder.Configure<IServiceProvider>((options, provider) =>
            NamedServers.Configure(options, own => configure(own, provider), SecondClusterRemedy));

    /// <summary>Sets the options by a section, now and after each change. A name that is no option ends the start.</summary>
    public void Bind(OptionsBuilder<TOptions> builder, IConfiguration section)
    {
        builder.Services.AddSingleton<IOptionsChangeTokenSource<TOptions>>(new SectionChanges<TOptions>(builder.Name, section));
        Configure(builder, options => BindTo(options, section));
    }

    /// <summary>Tells the servers that the options name now, and each time that the options have changed, until the answer is disposed.</summary>
    public IDisposable Follow(IServiceProvider provider, string name, TOptions atStart, ILogger? logger, Action<IList<string>> changed)
    {
        var follower = new OptionsFollower<TOptions>(provider, name, Names, atStart, logger, options => changed(options.Servers));

        // A change that came between the start and this has told nobody. Where there was none, nothing changes.
        changed(provider.GetRequiredService<IOptionsMonitor<TOptions>>().Get(name).Servers);
        return follower;
    }

    private void BindTo(TOptions options, IConfiguration section)
    {
        Names.ThrowIfUnknown(section);
        IConfigurationSection servers = section.GetSection(nameof(options.Servers));
        if (servers.Exists())
        {
            // The section replaces servers set before; binding alone would add to them.
            options.Servers = [];
        }

        Binder(section, options);
        if (servers.Value is { Length: > 0 } connectionString)
        {
            options.Servers = [.. ServerSpec.Split(connectionString)];
        }
    }
}
