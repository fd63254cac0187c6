using System.CommandLine;

namespace MemcachedDistributedCache.Load;

/// <summary>What callers do.</summary>
internal enum Verb
{
    /// <summary>Reads only.</summary>
    Get,

    /// <summary>Writes only.</summary>
    Set,

    /// <summary>One write in ten operations.</summary>
    Mix,
}

/// <summary>What the cache does beyond a bare first attempt.</summary>
internal enum Resilience
{
    /// <summary>What it does by default.</summary>
    On,

    /// <summary>Nothing that can be turned off.</summary>
    Off,
}

/// <summary>The command line.</summary>
internal sealed record LoadOptions
{
    /// <summary>Servers as <c>host:port</c>, plain; none means that the run starts its own.</summary>
    public required string[] Nodes { get; init; }

    /// <summary>Numbers of concurrent callers.</summary>
    public required int[] Callers { get; init; }

    /// <summary>Value sizes in bytes, at least 8.</summary>
    public required int[] Sizes { get; init; }

    /// <summary>What callers do.</summary>
    public required Verb[] Verbs { get; init; }

    /// <summary>How long each subject runs in each round.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>How many rounds; the median counts.</summary>
    public required int Rounds { get; init; }

    /// <summary>Names of subjects; none means all.</summary>
    public required string[] Subjects { get; init; }

    /// <summary>After this time no further row is begun.</summary>
    public required TimeSpan Limit { get; init; }

    /// <summary>Connections per node of the cache.</summary>
    public required int Connections { get; init; }

    /// <summary>Transports that are driven beside plain TCP.</summary>
    public required Transport[] Transports { get; init; }

    /// <summary>The commands that the cache speaks over plain TCP; with several, each of its subjects once with each.</summary>
    public required MemcachedProtocol[] Protocols { get; init; }

    /// <summary>Whether the cache runs a second time, with a listener to its metrics.</summary>
    public required bool Metrics { get; init; }

    /// <summary>Whether the cache runs a second time, with a logger that takes everything.</summary>
    public required bool Logging { get; init; }

    /// <summary>With which resilience the cache is driven; with several, each of its subjects once with each.</summary>
    public required Resilience[] Resilience { get; init; }

    /// <summary>Whether the result goes out as JSON.</summary>
    public required bool Json { get; init; }

    /// <summary>The command line's grammar, bound to <paramref name="run"/>.</summary>
    public static RootCommand Command(Func<LoadOptions, CancellationToken, Task<int>> run)
    {
        Option<string> nodes = Text("--nodes", "servers, host:port with commas; without it three local memcached processes are started", "");
        Option<string> callers = Text("--callers", "numbers of concurrent callers", "1,8,64,256");
        Option<string> sizes = Text("--size", "value sizes in bytes, from 8", "1024");
        Option<string> verbs = Text("--ops", "get, set, mix (one set in ten)", "get,set,mix");
        Option<string> subjects = Text(
            "--subjects",
            "only these subjects (cache, cache absolute, cache sliding, buffer, sync, unsafe bare); the bare loop is always among them",
            "");
        Option<double> seconds = new("--seconds") { Description = "length of one measurement", DefaultValueFactory = _ => 2 };
        Option<int> rounds = new("--rounds") { Description = "rounds, of which the median counts", DefaultValueFactory = _ => 5 };
        Option<double> limit = new("--limit") { Description = "minutes after which no further row is begun", DefaultValueFactory = _ => 90 };
        Option<int> connections = new("--connections") { Description = "connections per node of the cache", DefaultValueFactory = _ => 1 };
        Option<bool> metrics = new("--metrics")
        {
            Description = "also drive the cache with a listener to its metrics, and give the ratio to the cache without",
        };
        Option<bool> logging = new("--logging")
        {
            Description = "also drive the cache with a logger that takes everything, and give the ratio to the cache without",
        };
        Option<string> resilience = Text(
            "--resilience",
            "on (the default options), off (whatever can be turned off is), or both, compared round by round",
            "on");
        Option<bool> tls = new("--tls") { Description = "also drive all subjects over TLS, with servers and a certificate of their own" };
        Option<bool> unix = new("--unix") { Description = "also drive all subjects over Unix sockets, with servers of their own" };
        Option<string> protocol = Text(
            "--protocol",
            "meta, classic, or both, compared round by round: the commands that the cache speaks over plain TCP",
            "meta");
        Option<bool> json = new("--json") { Description = "write JSON instead of a table" };
        var command = new RootCommand("Drives the cache and a bare socket loop in turn, and gives their ratio.")
        {
            nodes,
            callers,
            sizes,
            verbs,
            subjects,
            seconds,
            rounds,
            limit,
            connections,
            resilience,
            metrics,
            logging,
            tls,
            unix,
            protocol,
            json,
            BesideLarge.Command(),
            IdleCost.Command(),
        };
        command.Validators.Add(result =>
        {
            if (!string.IsNullOrEmpty(result.GetValue(nodes)) && (result.GetValue(tls) || result.GetValue(unix)))
            {
                result.AddError("--tls and --unix start servers of their own: leave --nodes out.");
            }
        });
        command.SetAction(
            (parsed, cancellationToken) =>
                run(
                    new LoadOptions
                    {
                        Nodes = Split(parsed.GetValue(nodes)),
                        Callers = Numbers(parsed.GetValue(callers), 1, 512),
                        Sizes = Numbers(parsed.GetValue(sizes), sizeof(long), 1_000_000),
                        Verbs = Words<Verb>(parsed.GetValue(verbs)),
                        Subjects = Split(parsed.GetValue(subjects)),
                        Duration = TimeSpan.FromSeconds(Math.Clamp(parsed.GetValue(seconds), 0.05, 600)),
                        Rounds = Math.Clamp(parsed.GetValue(rounds), 1, 101),
                        Limit = TimeSpan.FromMinutes(parsed.GetValue(limit)),
                        Connections = parsed.GetValue(connections),
                        Metrics = parsed.GetValue(metrics),
                        Logging = parsed.GetValue(logging),
                        Transports = [.. parsed.GetValue(tls) ? [Transport.Tls] : (Transport[])[], .. parsed.GetValue(unix) ? [Transport.Unix] : (Transport[])[]],
                        Protocols = Words<MemcachedProtocol>(parsed.GetValue(protocol)),
                        Resilience = Words<Resilience>(parsed.GetValue(resilience)),
                        Json = parsed.GetValue(json),
                    },
                    cancellationToken));
        return command;
    }

    private static Option<string> Text(string name, string description, string value)
        => new(name) { Description = description, DefaultValueFactory = _ => value };

    private static string[] Split(string? text) => (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static TEnum[] Words<TEnum>(string? text)
        where TEnum : struct, Enum
        => [.. Split(text).Select(static word => Enum.Parse<TEnum>(word, ignoreCase: true)).Distinct()];

    /// <summary>Numbers with commas.</summary>
    public static int[] Numbers(string? text, int minimum, int maximum) => [.. Split(text).Select(int.Parse).Select(n => Math.Clamp(n, minimum, maximum))];
}
