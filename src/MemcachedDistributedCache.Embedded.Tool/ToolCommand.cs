using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;

namespace MemcachedDistributedCache.Embedded.Tool;

/// <summary>memcached's command line, as far as it means something here.</summary>
internal sealed class ToolCommand : RootCommand
{
    private const string Without = "accepted, without effect";
    private const int Megabyte = 1024 * 1024;

    private readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "say where it listens, and when it stops" };

    private readonly Option<bool> _disableEvictions = new("--disable-evictions", "-M") { Description = "refuse to store when memory is full, instead of evicting" };

    private readonly Option<IPAddress[]> _listen = new("--listen", "-l")
    {
        Description = "addresses to listen on",
        HelpName = "addr[,addr]",
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = static _ => [IPAddress.Loopback],
        CustomParser = static given => [.. given.Tokens.SelectMany(static token => token.Value.Split(',')).Select(text => Address(given, text))],
    };

    private readonly Option<int> _port = Numbers("--port", "-p", "TCP port to listen on, 0 for any", 11211, 0, ushort.MaxValue);

    private readonly Option<int> _memoryLimit = Numbers("--memory-limit", "-m", "item memory in megabytes", 64, 1, int.MaxValue);

    private readonly Option<int> _connectionLimit = Numbers("--conn-limit", "-c", "most simultaneous connections", 1024, 1, int.MaxValue);

    private readonly Option<int> _itemSize = Of("--max-item-size", "-I", "num", "largest item in bytes, or with suffix k or m", Megabyte, Size);

    private readonly Option<(string Name, string Password)[]> _users = Of("--auth-file", "-Y", "file", "lines of user:password, of which a client must name one", ((string, string)[])[], Users);

    /// <param name="version">What the command tells when it is asked for its version.</param>
    /// <param name="run">Runs the servers until the token is canceled: SIGINT and SIGTERM do. Takes the addresses, the options of
    /// the server on each, and whether to tell what happens.</param>
    public ToolCommand(string version, Func<IPAddress[], EmbeddedMemcachedOptions, bool, CancellationToken, Task<int>> run)
        : base("A memcached for development machines and tests; not for production.")
    {
        Options.Clear();
        Directives.Clear();
        Add(_listen);
        Add(_port);
        Add(_memoryLimit);
        Add(_disableEvictions);
        Add(_itemSize);
        Add(_connectionLimit);
        Add(_users);
        Add(_verbose);
        Add(new Option<bool>("--version", "-V") { Description = "print the version and exit", Action = new Line(version) });
        Add(new HelpOption("--help", "-h") { Description = "print this help and exit" });

        // Options of memcached that have no meaning here are accepted with their values, so that scripts need no change.
        Add(Numbers("--udp-port", "-U", "accepted if it is 0", 0, 0, 0));
        Add(Of("--user", "-u", "user", Without, "", static (_, text) => text));
        Add(Of("--threads", "-t", "num", Without, "", static (_, text) => text));
        Add(Of("--listen-backlog", "-b", "num", Without, "", static (_, text) => text));
        SetAction((line, cancellationToken) => run(line.GetValue(_listen)!, ServerOptions(line), line.GetValue(_verbose), cancellationToken));
    }

    /// <summary>The mistake in a command line that cannot be run; null where there is none. The text names the option.</summary>
    public static string? MistakeIn(ParseResult line)
        => line.Action is not ParseErrorAction ? null
            : line.UnmatchedTokens is [string first, ..] ? $"unrecognized option '{first}'"
            : line.Errors[0].SymbolResult is OptionResult { Tokens: [], IdentifierToken: { } name } ? $"option '{name.Value}' needs a value"
            : line.Errors[0].Message;

    private EmbeddedMemcachedOptions ServerOptions(ParseResult line)
    {
        var options = new EmbeddedMemcachedOptions
        {
            Port = line.GetValue(_port),
            MemoryLimitBytes = (long)line.GetValue(_memoryLimit) * Megabyte,
            MaximumItemBytes = line.GetValue(_itemSize),
            MaximumConnections = line.GetValue(_connectionLimit),
            DisableEvictions = line.GetValue(_disableEvictions),
        };
        foreach ((string name, string password) in line.GetValue(_users)!)
        {
            options.Users[name] = password;
        }

        return options;
    }

    /// <summary>An option with a value, which counts where it is given last.</summary>
    private static Option<T> Of<T>(string name, string alias, string valueName, string description, T byDefault, Func<ArgumentResult, string, T> parse)
        => new(name, alias)
        {
            Description = description,
            HelpName = valueName,
            Arity = ArgumentArity.OneOrMore,
            DefaultValueFactory = _ => byDefault,
            CustomParser = given => parse(given, given.Tokens[^1].Value),
        };

    private static Option<int> Numbers(string name, string alias, string description, int byDefault, int least, int most)
        => Of(name, alias, "num", description, byDefault, (given, text) => Number(given, text, text, least, most));

    private static IPAddress Address(ArgumentResult given, string text) => text switch
    {
        "localhost" => IPAddress.Loopback,
        "*" => IPAddress.Any,
        _ when IPAddress.TryParse(text, out IPAddress? address) => address,
        _ => Refuse(given, $"takes IP addresses joined by commas, not '{text}'", IPAddress.None),
    };

    private static int Number(ArgumentResult given, string text, string digits, int least, int most)
        => int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : Refuse(given, $"takes a whole number {(least == most ? $"that is {least}" : $"from {least} to {most}")}, not '{text}'", 0);

    /// <summary>The users of a file, <c>1*( user ":" password LF )</c>. A file without any would ask nobody, and is refused.</summary>
    private static (string Name, string Password)[] Users(ArgumentResult given, string file)
    {
        try
        {
            string[][] lines = [.. File.ReadAllLines(file).Select(static line => line.Split(':', 2))];
            return lines.Length != 0 && Array.TrueForAll(lines, static line => line is [{ Length: > 0 }, { Length: > 0 }])
                ? [.. lines.Select(static line => (line[0], line[1]))]
                : Refuse<(string, string)[]>(given, $"takes a file of lines 'user:password', which '{file}' is not", []);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return Refuse<(string, string)[]>(given, $"cannot read its file: {exception.Message}", []);
        }
    }

    private static int Size(ArgumentResult given, string text)
    {
        int unit = text.Length == 0 ? 1 : char.ToLowerInvariant(text[^1]) switch
        {
            'k' => 1024,
            'm' => Megabyte,
            _ => 1,
        };
        return Number(given, text, unit == 1 ? text : text[..^1], 1, int.MaxValue / unit) * unit;
    }

    private static T Refuse<T>(ArgumentResult given, string why, T instead)
    {
        given.AddError($"option '{((OptionResult)given.Parent!).IdentifierToken?.Value}' {why}");
        return instead;
    }

    private sealed class Line(string text) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.WriteLine(text);
            return 0;
        }
    }
}
