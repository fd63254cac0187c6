using System.Buffers.Text;
using System.Text;

namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// The servers of a cluster, as a configuration endpoint of ElastiCache or Memorystore tells them. Request:
/// <c>config get cluster\r\n</c>; reply: <c>CONFIG cluster &lt;flags&gt; &lt;length&gt;\r\n</c>, so many bytes of
/// <c>&lt;version&gt;\n&lt;host&gt;|&lt;address&gt;|&lt;port&gt;( &lt;host&gt;|&lt;address&gt;|&lt;port&gt;)*\n</c>, and <c>\r\nEND\r\n</c>.
/// Read as if a stranger had written it: whatever is not this is an error, and nothing of it is used.
/// </summary>
/// <param name="Version">Grows with each change of the list.</param>
/// <param name="Servers">The servers; at least one.</param>
internal sealed record ClusterConfiguration(long Version, IReadOnlyList<(string Host, int Port)> Servers)
{
    /// <summary>The reply may be this long. 300 servers with long names take about half.</summary>
    public const int MaximumLength = 64 * 1024;

    /// <summary>More servers than any service gives a cluster. Each takes connections and a place on the ring.</summary>
    public const int MostServers = 512;

    private static readonly char[] NameCharacters = [.. "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:"];

    /// <summary>The bytes to send.</summary>
    public static ReadOnlySpan<byte> Request => "config get cluster\r\n"u8;

    /// <summary>Reads a reply from its beginning; false while more bytes are needed. Then there is the one or the other.</summary>
    public static bool TryRead(ReadOnlySpan<byte> received, out ClusterConfiguration? configuration, out string? error)
    {
        configuration = null;
        error = null;
        switch (ReplyFrame.TryFindLine(received, out int lineLength))
        {
            case ReplyFrame.Result.Incomplete:
                return false;
            case ReplyFrame.Result.Invalid:
                error = "it does not speak the memcached protocol";
                return true;
        }

        ReadOnlySpan<byte> line = received[..lineLength];
        if (!TryReadLength(line, out int length))
        {
            error = line.StartsWith("CONFIG "u8)
                ? $"its answer '{Handshake.Printable(line)}' is none to 'config get cluster'"
                : $"it answered '{Handshake.Printable(line)}' to 'config get cluster', so it is no configuration endpoint";
            return true;
        }

        ReadOnlySpan<byte> end = "\r\nEND\r\n"u8;
        ReadOnlySpan<byte> rest = received[(lineLength + 2)..];
        if (rest.Length < length + end.Length)
        {
            return false;
        }

        configuration = rest[length..].SequenceEqual(end) ? Parse(Encoding.Latin1.GetString(rest[..length]), out error) : null;
        error ??= configuration is null ? "its answer does not end where it says" : null;
        return true;
    }

    private static bool TryReadLength(ReadOnlySpan<byte> line, out int length)
    {
        length = 0;
        ReadOnlySpan<byte> name = "CONFIG cluster "u8;
        if (!line.StartsWith(name))
        {
            return false;
        }

        ReadOnlySpan<byte> flags = line[name.Length..];
        int space = flags.IndexOf((byte)' ');
        return space > 0
            && Utf8Parser.TryParse(flags[(space + 1)..], out length, out int used)
            && used == flags.Length - space - 1
            && length is > 0 and < MaximumLength;
    }

    private static ClusterConfiguration? Parse(string payload, out string? error)
    {
        string[] lines = payload.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string[] entries = lines.Length == 2 ? lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];
        error = null;
        if (lines.Length is 0 or > 2 || !long.TryParse(lines[0], System.Globalization.NumberStyles.None, null, out long version))
        {
            error = "its answer is not a version and a list of servers";
        }
        else if (entries.Length is 0 or > MostServers)
        {
            error = $"it names {entries.Length} servers, and 1 to {MostServers} can be";
        }
        else
        {
            var servers = new List<(string, int)>(entries.Length);
            foreach (string entry in entries)
            {
                if (ParseServer(entry) is not { } server)
                {
                    error = $"its answer has '{Handshake.Printable(Encoding.Latin1.GetBytes(entry))}', which is no server";
                    return null;
                }

                servers.Add(server);
            }

            return new ClusterConfiguration(version, servers);
        }

        return null;
    }

    /// <summary>The name before the address: the name stays when a node is replaced, and a certificate is for it.</summary>
    private static (string Host, int Port)? ParseServer(string entry)
    {
        string[] parts = entry.Split('|');
        string host = parts[0].Length != 0 || parts.Length < 2 ? parts[0] : parts[1];
        return
            parts.Length == 3
            && int.TryParse(parts[2], System.Globalization.NumberStyles.None, null, out int port)
            && port is > 0 and < 65536
            && !host.AsSpan().ContainsAnyExcept(NameCharacters)
            && Uri.CheckHostName(host) != UriHostNameType.Unknown
            ? (host, port)
            : null;
    }
}
