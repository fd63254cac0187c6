using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Text;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// One server of the configuration: <c>host[:port][;weight=n][;addresses=each]</c>, IPv6 addresses in brackets when a port follows,
/// or <c>unix:path[;weight=n]</c>. Or who tells the servers: <c>host[:port];discover=cluster</c>, <c>name;discover=srv</c>.
/// </summary>
/// <param name="Address">Where it listens.</param>
/// <param name="Weight">Its share of the keys in relation to the others', 1 to 100.</param>
/// <param name="IsEachAddress">Whether each address of the name is a server of its own.</param>
internal sealed record ServerSpec(ServerAddress Address, int Weight, bool IsEachAddress = false)
{
    /// <summary>The address is no server, but tells which servers there are; <see cref="DiscoveryKind.None"/> for a server.</summary>
    public DiscoveryKind Discovers { get; init; }

    /// <summary>memcached's port.</summary>
    public const int DefaultPort = 11211;

    /// <summary>The path must fit, with a zero behind, into the 104 bytes of the smallest system's <c>sun_path</c>.</summary>
    private const int LongestSocketPath = 103;

    /// <summary>The largest weight.</summary>
    public const int MaximumWeight = 100;

    /// <summary>Splits a connection string at its commas.</summary>
    public static string[] Split(string connectionString)
        => connectionString.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Reads one server; <paramref name="error"/> says what is wrong and what is right.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ServerSpec? spec, [NotNullWhen(false)] out string? error)
    {
        spec = null;
        string[] parts = (text ?? "").Split(';', StringSplitOptions.TrimEntries);
        int weight = 1;
        bool isEachAddress = false;
        DiscoveryKind discovers = DiscoveryKind.None;
        if (parts[1..].DistinctBy(static part => part.Split('=')[0], StringComparer.OrdinalIgnoreCase).Count() != parts.Length - 1)
        {
            error = "each setting, 'weight', 'addresses' and 'discover', may follow the address once";
            return false;
        }

        foreach (string part in parts[1..])
        {
            if (part.StartsWith("weight=", StringComparison.OrdinalIgnoreCase))
            {
                if (!int.TryParse(part["weight=".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out weight)
                    || weight is < 1 or > MaximumWeight)
                {
                    error = $"the weight '{part["weight=".Length..]}' must be a whole number from 1 to {MaximumWeight}";
                    return false;
                }
            }
            else if (part.Equals("addresses=each", StringComparison.OrdinalIgnoreCase))
            {
                isEachAddress = true;
            }
            else if (part.Equals("discover=cluster", StringComparison.OrdinalIgnoreCase))
            {
                discovers = DiscoveryKind.Cluster;
            }
            else if (part.Equals("discover=srv", StringComparison.OrdinalIgnoreCase))
            {
                discovers = DiscoveryKind.Service;
            }
            else
            {
                // The name alone: a password may have been put here.
                error = $"'{part.Split('=')[0]}' is not a server setting; servers are separated by commas ('mc1:11211,mc2:11211'), and the settings are "
                    + $"'weight=<1 to {MaximumWeight}>', 'addresses=each', 'discover=cluster' and 'discover=srv'";
                return false;
            }
        }

        if (!TryParseAddress(parts[0], discovers == DiscoveryKind.Service, out ServerAddress? address, out error))
        {
            return false;
        }

        if (isEachAddress && (address.IsUnixSocket || IPAddress.TryParse(address.Host, out _)))
        {
            error = "'addresses=each' is for a host name with several addresses, and this is one address";
            return false;
        }

        if (discovers != DiscoveryKind.None && parts.Length > 2)
        {
            error = "'discover' goes with no other setting: the address is no server, but tells which servers there are";
            return false;
        }

        if (discovers == DiscoveryKind.Service && address.Port != DefaultPort)
        {
            error = "a service in DNS has no port: its records name the port of each server";
            return false;
        }

        spec = new ServerSpec(address, weight, isEachAddress) { Discovers = discovers };
        return true;
    }

    /// <summary>A hint for a form of address that other products use; null for anything else.</summary>
    private static string? MistakeOf(string text)
    {
        if (text.StartsWith(ServerAddress.UnixPrefix, StringComparison.OrdinalIgnoreCase) && text.Contains('/', StringComparison.Ordinal))
        {
            return "a Unix socket is written with its whole path, as 'unix:/run/memcached.sock'";
        }

        if (text.IndexOf("://", StringComparison.Ordinal) is >= 0 and int scheme)
        {
            return $"it is named without '{text[..(scheme + 3)]}', as '{(text[(scheme + 3)..].TrimEnd('/') is { Length: > 0 } rest ? rest : "mc1:11211")}'";
        }

        if (text.AsSpan().IndexOfAny(" \t\r\n") >= 0)
        {
            return $"servers are separated by commas, as '{string.Join(',', text.Split((char[])[' ', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries))}'";
        }

        return !text.StartsWith('[') && text.Count(':') > 1 && Uri.CheckHostName(text) != UriHostNameType.IPv6
            ? "it has one port, behind one ':', as 'mc1:11211'; an IPv6 address stands in brackets, as '[::1]:11211', and servers are separated by commas"
            : null;
    }

    private static bool TryParseUnixSocket(string path, [NotNullWhen(true)] out ServerAddress? address, [NotNullWhen(false)] out string? error)
    {
        address = null;
        error = path.StartsWith("//", StringComparison.Ordinal) ? $"a Unix socket is written with one '/' at the front, as 'unix:/{path.TrimStart('/')}'"
            : path.EndsWith('/') || path.Contains('\0', StringComparison.Ordinal) ? "a Unix socket is named by the path of its file, as 'unix:/run/memcached.sock'"
            : Encoding.UTF8.GetByteCount(path) > LongestSocketPath ? $"the path of a Unix socket may have {LongestSocketPath} bytes, and this one has {Encoding.UTF8.GetByteCount(path)}"
            : null;
        address = error is null ? new ServerAddress(path, 0) : null;
        return error is null;
    }

    private static bool TryParseAddress(
        string text,
        bool isService,
        [NotNullWhen(true)] out ServerAddress? address,
        [NotNullWhen(false)] out string? error)
    {
        if (text.StartsWith(ServerAddress.UnixPrefix + "/", StringComparison.OrdinalIgnoreCase))
        {
            return TryParseUnixSocket(text[ServerAddress.UnixPrefix.Length..], out address, out error);
        }

        address = null;
        error = MistakeOf(text);
        if (error is not null)
        {
            return false;
        }

        string host = text;
        string? port = null;
        if (text.StartsWith('['))
        {
            int close = text.IndexOf(']', StringComparison.Ordinal);
            if (close < 0 || (close + 1 < text.Length && text[close + 1] != ':'))
            {
                error = "an IPv6 address is written in brackets, with the port behind them: '[::1]:11211'";
                return false;
            }

            host = text[1..close];
            port = close + 1 < text.Length ? text[(close + 2)..] : null;
        }
        else if (text.Count(':') == 1)
        {
            int colon = text.IndexOf(':', StringComparison.Ordinal);
            host = text[..colon];
            port = text[(colon + 1)..];
        }

        int number = DefaultPort;
        if (port is not null && (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out number) || number is < 1 or > 65535))
        {
            error = $"the port '{port}' must be a whole number from 1 to 65535";
        }
        else if (text.StartsWith('[') && Uri.CheckHostName(host) != UriHostNameType.IPv6)
        {
            error = $"'{host}' stands in brackets and is no IPv6 address";
        }
        else if (Uri.CheckHostName(isService ? host.Replace("_", "", StringComparison.Ordinal) : host) == UriHostNameType.Unknown
            || host.Contains('/', StringComparison.Ordinal))
        {
            error = "it must begin with a host name or an IP address: 'mc1:11211', '10.0.0.5', '[::1]:11211'";
        }
        else
        {
            // One spelling for each address: the text decides where it stands on the ring.
            address = new ServerAddress(
                IPAddress.TryParse(host, out IPAddress? ip) ? NameResolver.Plain(ip).ToString() : host.ToLowerInvariant(),
                number);
        }

        return error is null;
    }
}
