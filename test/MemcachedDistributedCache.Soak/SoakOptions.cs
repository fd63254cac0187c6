using System.CommandLine;

namespace MemcachedDistributedCache.Soak;

/// <summary>What a run is.</summary>
public sealed record SoakOptions
{
    private const int MaximumSeed = 1_000_000_000;

    /// <summary>How long load and faults last.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>Decides keys, operations, faults and options; timing stays the machine's.</summary>
    public required int Seed { get; init; }

    /// <summary>Asynchronous callers.</summary>
    public int Callers { get; init; } = 48;

    /// <summary>Threads that block in synchronous calls, and in asynchronous ones now and then.</summary>
    public int Threads { get; init; } = 8;

    /// <summary>Whether no faults are made, to tell what they cost.</summary>
    public bool Calm { get; init; }

    /// <summary>Any seed.</summary>
    public static int AnySeed() => Random.Shared.Next(MaximumSeed);

    /// <summary>The command line's grammar, bound to <paramref name="run"/>.</summary>
    public static RootCommand Command(Func<SoakOptions, CancellationToken, Task<int>> run)
    {
        Option<double> minutes = new("--minutes") { Description = "how long load and faults last", DefaultValueFactory = _ => 10 };
        Option<int> seed = new("--seed") { Description = "decides keys, operations, faults and options", DefaultValueFactory = _ => AnySeed() };
        Option<int> callers = new("--callers") { Description = "asynchronous callers", DefaultValueFactory = _ => 48 };
        Option<int> threads = new("--threads") { Description = "threads that call synchronously", DefaultValueFactory = _ => 8 };
        Option<bool> calm = new("--calm") { Description = "make no faults" };
        var command = new RootCommand(
            "Drives a cache against memcached processes that are killed, frozen, cut off and delayed, and judges every value.")
        {
            minutes,
            seed,
            callers,
            threads,
            calm,
        };
        command.SetAction(
            (parsed, cancellationToken) =>
                run(
                    new SoakOptions
                    {
                        Duration = TimeSpan.FromMinutes(Math.Clamp(parsed.GetValue(minutes), 0.01, 10_000)),
                        Seed = parsed.GetValue(seed),
                        Callers = Math.Clamp(parsed.GetValue(callers), 1, 1000),
                        Threads = Math.Clamp(parsed.GetValue(threads), 0, 100),
                        Calm = parsed.GetValue(calm),
                    },
                    cancellationToken));
        return command;
    }
}
