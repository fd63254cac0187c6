using System.Globalization;

namespace MemcachedDistributedCache;

/// <summary>The statistics that a server can be asked for.</summary>
public enum MemcachedStatisticsKind
{
    /// <summary><c>stats</c>: items, memory, connections, and the counts of commands.</summary>
    General,

    /// <summary><c>stats items</c>: the items of each slab class.</summary>
    Items,

    /// <summary><c>stats slabs</c>: the memory of each slab class.</summary>
    Slabs,

    /// <summary><c>stats sizes</c>: how many items there are of each size; off unless the server was told to keep them.</summary>
    Sizes,

    /// <summary><c>stats settings</c>: how the server was started. Managed services refuse that.</summary>
    Settings,

    /// <summary><c>stats conns</c>: the connections of all clients.</summary>
    Connections,
}

/// <summary>One server's outcome of something that all servers were asked for.</summary>
/// <param name="Server">The server's address as configured.</param>
/// <param name="Outcome">
/// <see cref="MemcachedOutcome.Success"/>, <see cref="MemcachedOutcome.Rejected"/> where the server refuses the command,
/// <see cref="MemcachedOutcome.Unavailable"/>, or <see cref="MemcachedOutcome.Unknown"/> where it was sent and no answer came.
/// </param>
/// <param name="Detail">The server's words, where it refuses.</param>
public sealed record MemcachedServerResult(string Server, MemcachedOutcome Outcome, string? Detail = null);

/// <summary>One server's statistics. What the server has not told, or has told in another form, is null.</summary>
/// <param name="Server">The server's address as configured.</param>
/// <param name="Outcome">
/// <see cref="MemcachedOutcome.Success"/>, <see cref="MemcachedOutcome.Rejected"/> where the server refuses the command,
/// or <see cref="MemcachedOutcome.Unavailable"/>.
/// </param>
/// <param name="Values">All that the server has told, by memcached's own names.</param>
public sealed record MemcachedServerStatistics(string Server, MemcachedOutcome Outcome, IReadOnlyDictionary<string, string> Values)
{
    /// <summary>The server's words, where it refuses.</summary>
    public string? Detail { get; init; }

    /// <summary>The server's version (<c>version</c>).</summary>
    public string? Version => Values.GetValueOrDefault("version");

    /// <summary>How long the server has run (<c>uptime</c>).</summary>
    public TimeSpan? Uptime => Number("uptime") is { } seconds and <= int.MaxValue ? TimeSpan.FromSeconds((long)seconds) : null;

    /// <summary>Items held (<c>curr_items</c>).</summary>
    public ulong? Items => Number("curr_items");

    /// <summary>Bytes that they take (<c>bytes</c>).</summary>
    public ulong? Bytes => Number("bytes");

    /// <summary>Bytes that they may take (<c>limit_maxbytes</c>).</summary>
    public ulong? MaximumBytes => Number("limit_maxbytes");

    /// <summary>Connections of all clients (<c>curr_connections</c>).</summary>
    public ulong? Connections => Number("curr_connections");

    /// <summary>Reads that found an item (<c>get_hits</c>).</summary>
    public ulong? Hits => Number("get_hits");

    /// <summary>Reads that found none (<c>get_misses</c>).</summary>
    public ulong? Misses => Number("get_misses");

    /// <summary>Items that were dropped before their time (<c>evictions</c>).</summary>
    public ulong? Evictions => Number("evictions");

    private ulong? Number(string name)
        => Values.TryGetValue(name, out string? text) && ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : null;
}
