using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// Servers that another part of the application offers, such as embedded nodes: a keyed service of the type
/// <see cref="IReadOnlyList{T}"/> of <see cref="string"/>. The key is <see cref="Key"/>, for a keyed client or cache with a colon
/// and its service key behind. A convention instead of a type, so that who offers them needs no reference to this
/// package. A client or cache whose options name no servers takes them.
/// </summary>
internal sealed class OfferedServers(IServiceProvider provider) : IPostConfigureOptions<MemcachedClientOptions>
{
    /// <summary>The service key. Documented in docs/embedded.md; it never changes.</summary>
    public const string Key = "memcached-servers";

    /// <inheritdoc/>
    public void PostConfigure(string? name, MemcachedClientOptions options)
    {
        if (options.Servers is { Count: 0 } && string.IsNullOrEmpty(options.Discovery) && options.ServerSource is null && Find(provider, name ?? "") is { } offered)
        {
            options.Servers = [.. offered];
        }
    }

    /// <summary>Warns where servers are offered and the options name others: whoever offered them believes that they are used.</summary>
    public static void WarnIfUnused(IServiceProvider provider, string name, MemcachedClientOptions options, ILogger? logger)
    {
        if (logger is not null && Find(provider, name) is { } offered && !offered.ToHashSet(StringComparer.Ordinal).SetEquals(options.Servers))
        {
            string named = string.Join(", ", options.Servers.Append(options.Discovery).Append(options.ServerSource?.Name).OfType<string>());
            OptionsLog.OfferedServersNotUsed(logger, named, string.Join(", ", offered));
        }
    }

    private static IReadOnlyList<string>? Find(IServiceProvider provider, string name)
        => provider.GetKeyedService<IReadOnlyList<string>>(name.Length == 0 ? Key : $"{Key}:{name}");
}
