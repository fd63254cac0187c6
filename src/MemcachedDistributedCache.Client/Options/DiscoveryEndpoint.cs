using System.Diagnostics.CodeAnalysis;
using MemcachedDistributedCache.Cluster;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// Who is asked which servers there are. It can be named in two ways: by the option, or among the servers, where a
/// connection string has its only place for it.
/// </summary>
internal static class DiscoveryEndpoint
{
    /// <summary>The endpoint of valid options; null where the servers are named.</summary>
    public static ServerSpec? Of(MemcachedClientOptions options)
        => options.Discovery is { Length: > 0 } text
            ? TryParse(text, out ServerSpec? spec, out _) ? spec : null
            : (options.Servers ?? [])
                .Select(static server => ServerSpec.TryParse(server, out ServerSpec? spec, out _) ? spec : null)
                .FirstOrDefault(static spec => spec is { Discovers: not DiscoveryKind.None });

    /// <summary>The servers of a list; an endpoint among them is none.</summary>
    /// <exception cref="FormatException">A server is not written as one.</exception>
    public static ServerSpec[] Without(IEnumerable<string> servers)
        => [
            .. servers
                .Select(static server => ServerSpec.TryParse(server, out ServerSpec? spec, out string? error) ? spec : throw new FormatException(error))
                .Where(static spec => spec.Discovers == DiscoveryKind.None),
        ];

    /// <summary>Reads the option; <paramref name="error"/> says what is wrong and what is right.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out ServerSpec? spec, [NotNullWhen(false)] out string? error)
    {
        string whole = text.Contains(';', StringComparison.Ordinal) ? text : text + (text.StartsWith('_') ? ";discover=srv" : ";discover=cluster");
        if (!ServerSpec.TryParse(whole, out spec, out error))
        {
            return false;
        }

        if (spec.Discovers == DiscoveryKind.None)
        {
            error = "a weight and 'addresses=each' are for servers, and this is who tells which servers there are";
            spec = null;
            return false;
        }

        return true;
    }
}
