using System.Globalization;
using System.Net;

namespace MemcachedDistributedCache.Embedded.Tool;

/// <summary>A command line that cannot be run; the message names the option.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>memcached's command line, as far as it means something here.</summary>
internal sealed class ToolArguments
{
    private const int DefaultPort = 11211;
    private const int Megabyte = 1024 * 1024;

    /// <summary>
    /// Options of memcached that have no meaning here and are accepted, with their value, so that scripts need no
    /// change.
    /// </summary>
    private static readonly string[] Ignored = ["-u", "--user", "-t", "--threads", "-b", "--listen-backlog"];

    public bool ShowHelp { get; private set; }

    public bool ShowVersion { get; private set; }

    public bool Verbose { get; private set; }

    public List<IPAddress> Addresses { get; } = [];

    public EmbeddedMemcachedOptions Options { get; } = new() { Port = DefaultPort };

    public static ToolArguments Parse(IEnumerable<string> arguments)
    {
        var parsed = new ToolArguments();
        var rest = new Queue<string>(arguments);
        while (rest.TryDequeue(out string? argument))
        {
            (string name, string? attached) = Split(argument);
            parsed.Take(name, () => attached
                ?? (rest.TryDequeue(out string? value) ? value : throw new UsageException($"option '{name}' needs a value")));
        }

        if (parsed.Addresses.Count == 0)
        {
            parsed.Addresses.Add(IPAddress.Loopback);
        }

        return parsed;
    }

    /// <summary><c>--name=value</c>, <c>-p11211</c>, or a bare name whose value is the next argument.</summary>
    private static (string Name, string? Attached) Split(string argument)
    {
        if (argument.StartsWith("--", StringComparison.Ordinal))
        {
            int equals = argument.IndexOf('=', StringComparison.Ordinal);
            return equals < 0 ? (argument, null) : (argument[..equals], argument[(equals + 1)..]);
        }

        bool verbose = argument.AsSpan().TrimStart('-').Trim('v').IsEmpty;
        return argument.Length <= 2 || verbose || argument[0] != '-' ? (argument, null) : (argument[..2], argument[2..]);
    }

    private void Take(string name, Func<string> value)
    {
        switch (name)
        {
            case "-h" or "--help":
                ShowHelp = true;
                break;
            case "-V" or "--version":
                ShowVersion = true;
                break;
            case "-v" or "-vv" or "-vvv" or "--verbose":
                Verbose = true;
                break;
            case "-M" or "--disable-evictions":
                Options.DisableEvictions = true;
                break;
            case "-l" or "--listen":
                Addresses.AddRange(value().Split(',').Select(text => Address(name, text)));
                break;
            case "-p" or "--port":
                Options.Port = Number(name, value(), 0, ushort.MaxValue);
                break;
            case "-m" or "--memory-limit":
                Options.MemoryLimitBytes = (long)Number(name, value(), 1, int.MaxValue) * Megabyte;
                break;
            case "-I" or "--max-item-size":
                Options.MaximumItemBytes = Size(name, value());
                break;
            case "-c" or "--conn-limit":
                Options.MaximumConnections = Number(name, value(), 1, int.MaxValue);
                break;
            case "-U" or "--udp-port":
                Number(name, value(), 0, 0);
                break;
            case var _ when Ignored.Contains(name):
                value();
                break;
            default:
                throw new UsageException($"unrecognized option '{name}'");
        }
    }

    private static IPAddress Address(string name, string text) => text switch
    {
        "localhost" => IPAddress.Loopback,
        "*" => IPAddress.Any,
        _ when IPAddress.TryParse(text, out IPAddress? address) => address,
        _ => throw new UsageException($"option '{name}' takes IP addresses joined by commas, not '{text}'"),
    };

    private static int Number(string name, string text, int least, int most)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw new UsageException(
                $"option '{name}' takes a whole number {(least == most ? $"that is {least}" : $"from {least} to {most}")}, not '{text}'");

    private static int Size(string name, string text)
    {
        int unit = text.Length == 0 ? 1 : char.ToLowerInvariant(text[^1]) switch
        {
            'k' => 1024,
            'm' => Megabyte,
            _ => 1,
        };
        string digits = unit == 1 ? text : text[..^1];
        return Number(name, digits, 1, int.MaxValue / unit) * unit;
    }
}
