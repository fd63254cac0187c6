using MemcachedDistributedCache.Cluster;

namespace MemcachedDistributedCache.Options;

/// <summary>
/// Which servers the registrations of one client or cache name. Each call of <c>AddMemcached…</c> names some, adds to them or
/// leaves them alone; two that name different ones mean two clusters, and the later would silently move what the
/// earlier had asked for. What the application itself sets by <c>Configure</c> or <c>PostConfigure</c> is deliberate,
/// and not seen here.
/// </summary>
internal sealed class NamedServers
{
    private IReadOnlyList<string>? _first;

    /// <summary>The error, or null.</summary>
    public string? Contradiction { get; private set; }

    /// <summary>
    /// Lets one registration set the options, and notes what it names. The remedy is for registrations that contradict each other.
    /// </summary>
    public static void Configure<TOptions>(TOptions options, Action<TOptions> registration, string remedy)
        where TOptions : MemcachedClientOptions
    {
        string[] before = [.. options.Servers ?? []];
        registration(options);
        options.NamedServers.Note(before, [.. options.Servers ?? []], remedy);
    }

    private void Note(string[] before, string[] after, string remedy)
    {
        bool isUntouched = after.SequenceEqual(before, StringComparer.Ordinal);
        bool isAddition = before.Length != 0 && after.Take(before.Length).SequenceEqual(before, StringComparer.Ordinal);
        if (isUntouched)
        {
            return;
        }

        if (_first is not null && !isAddition && !AreSame(_first, after))
        {
            Contradiction ??=
                $"Servers is [{string.Join(", ", after)}], and another registration of the same client or cache has named [{string.Join(", ", _first)}]. {remedy}";
        }

        _first = after;
    }

    private static bool AreSame(IReadOnlyList<string> servers, IReadOnlyList<string> others)
        => servers.Select(Spelled).ToHashSet(StringComparer.Ordinal).SetEquals(others.Select(Spelled));

    private static string Spelled(string server) => ServerSpec.TryParse(server, out ServerSpec? spec, out _) ? spec.ToString() : server;
}
