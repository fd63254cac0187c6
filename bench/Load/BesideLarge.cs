using System.CommandLine;
using MemcachedDistributedCache.Load.Fence;

namespace MemcachedDistributedCache.Load;

/// <summary>How long small reads take while others read large values from the same server, beside how long they take alone.</summary>
internal sealed record BesideLarge
{
    private const int SmallSize = 1024;

    /// <summary>Those who read small values.</summary>
    public required int Callers { get; init; }

    /// <summary>Those who read large ones meanwhile.</summary>
    public required int LargeCallers { get; init; }

    /// <summary>The length of a large value.</summary>
    public required int LargeSize { get; init; }

    /// <summary>Connections of the cache, each number in turn.</summary>
    public required int[] Connections { get; init; }

    /// <summary>How long each measurement is.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>How many rounds; the median counts.</summary>
    public required int Rounds { get; init; }

    /// <summary>The command's grammar.</summary>
    public static Command Command()
    {
        Option<int> callers = new("--callers") { Description = "concurrent readers of 1 KB values", DefaultValueFactory = _ => 16 };
        Option<int> largeCallers = new("--large-callers") { Description = "concurrent readers of large values", DefaultValueFactory = _ => 2 };
        Option<int> largeSize = new("--large-size") { Description = "their length in bytes", DefaultValueFactory = _ => 1_000_000 };
        Option<string> connections = new("--connections") { Description = "connections of the cache", DefaultValueFactory = _ => "1,2" };
        Option<double> seconds = new("--seconds") { Description = "length of one measurement", DefaultValueFactory = _ => 2 };
        Option<int> rounds = new("--rounds") { Description = "rounds, of which the median counts", DefaultValueFactory = _ => 5 };
        var command = new Command("beside", "Small reads beside large ones on the same server.") { callers, largeCallers, largeSize, connections, seconds, rounds };
        command.SetAction((parsed, cancellationToken) => new BesideLarge
        {
            Callers = parsed.GetValue(callers),
            LargeCallers = parsed.GetValue(largeCallers),
            LargeSize = Math.Clamp(parsed.GetValue(largeSize), sizeof(long), 1_000_000),
            Connections = LoadOptions.Numbers(parsed.GetValue(connections), 1, 64),
            Duration = TimeSpan.FromSeconds(Math.Clamp(parsed.GetValue(seconds), 0.05, 600)),
            Rounds = Math.Clamp(parsed.GetValue(rounds), 1, 101),
        }.RunAsync(cancellationToken));
        return command;
    }

    private async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        Console.WriteLine($"{Report.Machine}; {Rounds} rounds of {Duration.TotalSeconds:0.##} s, medians; {Callers} readers of {SmallSize} B, alone and beside {LargeCallers} of {LargeSize} B, on one server");
        Console.WriteLine();
        Console.WriteLine("| connections | alone ops/s | alone p50 µs | alone p99 µs | beside ops/s | beside p50 µs | beside p99 µs | large/s | p99 ÷ |");
        Console.WriteLine("|-------------|------------:|-------------:|-------------:|-------------:|--------------:|--------------:|--------:|------:|");
        await using LocalServers servers = await LocalServers.StartAsync(Transport.Tcp, 1, TimeSpan.FromMinutes(30), cancellationToken);
        var bareLoop = new BareLoopSubject("bare loop", servers.Way, Flush.Pool);
        bool isWrong = await MeasureAsync(
            "bare loop",
            bareLoop,
            new BareLoopSubject("large", servers.Way, Flush.Pool, sharesConnectionsOf: bareLoop),
            cancellationToken);
        foreach (int connections in Connections)
        {
            var setup = new CacheSetup(servers.Way, connections, Resilience.On, Watched.No);
            var cache = new DistributedSubject("small", setup, Expiry.Default);
            isWrong |= await MeasureAsync(
                $"cache, {connections}",
                cache,
                new DistributedSubject("large", setup, Expiry.Default, sharesCacheOf: cache),
                cancellationToken);
        }

        return isWrong ? 1 : 0;
    }

    private async Task<bool> MeasureAsync(string name, Subject small, Subject large, CancellationToken cancellationToken)
    {
        await using Subject first = small;
        await using Subject second = large;
        var smallReads = new Workload(Verb.Get, SmallSize);
        var largeReads = new Workload(Verb.Get, LargeSize);
        await small.PrepareAsync(smallReads, cancellationToken);
        await large.PrepareAsync(largeReads, cancellationToken);
        var alone = new List<Measurement>();
        var beside = new List<Measurement>();
        var others = new List<Measurement>();
        await Measurement.TakeAsync(small, smallReads, Callers, Duration, cancellationToken);
        for (int round = 0; round < Rounds; round++)
        {
            alone.Add(await Measurement.TakeAsync(small, smallReads, Callers, Duration, cancellationToken));
            Task<Measurement> other = Measurement.TakeAsync(large, largeReads, LargeCallers, Duration, cancellationToken);
            beside.Add(await Measurement.TakeAsync(small, smallReads, Callers, Duration, cancellationToken));
            others.Add(await other);
        }

        Measurement a = Row.MedianOf(alone);
        Measurement b = Row.MedianOf(beside);
        Measurement o = Row.MedianOf(others);
        Console.WriteLine($"| {name,-11} | {a.Rate,11:0} | {a.P50,12:0} | {a.P99,12:0} | {b.Rate,12:0} | {b.P50,13:0} | {b.P99,13:0} | {o.Rate,7:0} | {Row.Ratio(beside, alone, static m => m.P99),5:0.00} |");
        return a.Wrong + b.Wrong + o.Wrong + a.Errors + b.Errors + o.Errors != 0;
    }
}
