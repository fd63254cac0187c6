using System.Collections.Concurrent;
using System.Diagnostics;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Soak;

/// <summary>One run: three memcached processes behind fault proxies, one cache, many callers, and then the accounts.</summary>
public static class SoakRun
{
    private const int Nodes = 3;
    private const int KeysPerCaller = 16;
    private static readonly TimeSpan OperationTimeout = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// What an operation may take in limits of its own. One is promised (two for a refresh, which asks twice, and a
    /// sixteenth of an attempt); the rest is for a machine that is busy with what the run itself does. Longer pauses of
    /// the machine are measured, and come on top.
    /// </summary>
    private const int MostLimits = 3;

    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(30);

    /// <summary>Runs it.</summary>
    /// <param name="options">What to run.</param>
    /// <param name="progress">Told a line now and then.</param>
    /// <param name="cancellationToken">Ends the load early; the accounts are made all the same.</param>
    public static async Task<SoakReport> ExecuteAsync(SoakOptions options, Action<string> progress, CancellationToken cancellationToken)
    {
        MemcachedProcess.Lifetime = options.Duration + TimeSpan.FromMinutes(10);
        using var buffers = new ArrayPoolWatch();
        int sockets = OpenSockets.Count();
        var faults = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        MemcachedCacheOptions settings = Settings(options.Seed);
        SoakReport report;
        var servers = new List<MemcachedProcess>();
        var proxies = new List<FaultProxy>();
        try
        {
            for (int i = 0; i < Nodes; i++)
            {
                servers.Add(await MemcachedProcess.StartAsync("-m", "128"));
                proxies.Add(await FaultProxy.StartAsync(servers[i].EndPoint, ct: CancellationToken.None));
                settings.Servers.Add(proxies[i].Server);
            }

            var changes = new ServerChanges([.. settings.Servers], faults, new Random(Seeds.Of(options.Seed, -1 - Nodes)), isCalm: options.Calm);
            await using var cache = new MemcachedCache(settings);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            stop.CancelAfter(options.Duration);
            Task changing = Task.Run(() => changes.RunAsync(cache, stop.Token), CancellationToken.None);
            Task faulting = options.Calm
                ? Task.CompletedTask
                : Task.WhenAll(
                    Enumerable
                        .Range(0, Nodes)
                        .Select(i =>
                            Task.Run(
                                () =>
                                    new NodeFaults(servers[i], proxies[i], faults, new Random(Seeds.Of(options.Seed, -1 - i))).RunAsync(
                                        stop.Token),
                                CancellationToken.None)));
            report = await DriveAsync(options, cache, changes, faults, progress, Task.WhenAll(faulting, changing), stop.Token) with
            {
                Setting = Describe(settings),
            };
        }
        finally
        {
            foreach (FaultProxy proxy in proxies)
            {
                await proxy.DisposeAsync();
            }

            foreach (MemcachedProcess server in servers)
            {
                await server.DisposeAsync();
            }
        }

        await Settled(() => OpenSockets.Count() <= sockets && buffers.Outstanding <= 0);
        return report with { SocketsLeft = Math.Max(0, OpenSockets.Count() - sockets), BuffersLeft = Math.Max(0, buffers.Outstanding) };
    }

    private static async Task<SoakReport> DriveAsync(SoakOptions options, MemcachedCache cache, ServerChanges changes, ConcurrentDictionary<string, int> faults, Action<string> progress, Task faulting, CancellationToken stop)
    {
        var tally = new SoakTally();
        using var pauses = new PauseMeter();
        int callers = options.Callers + options.Threads;
        KeyLedger[] ledgers = [.. Enumerable.Range(0, callers * KeysPerCaller).Select(static key => new KeyLedger(key))];
        (long Managed, long Resident) start = Memory();
        Task[] running = [.. Enumerable.Range(0, callers).Select(i =>
        {
            KeyLedger[] own = ledgers.AsSpan(i * KeysPerCaller, KeysPerCaller).ToArray();
            var caller = new SoakCaller(cache, own, ledgers, tally, isThread: i >= options.Callers, Seeds.Of(options.Seed, 1 + i));
            return i >= options.Callers ? caller.RunThreadAsync(stop) : Task.Run(() => caller.RunAsync(stop), CancellationToken.None);
        })];
        long started = Stopwatch.GetTimestamp();
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(ReportEvery, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            progress($"{Stopwatch.GetElapsedTime(started).TotalSeconds,6:0} s  {tally.Operations:N0} operations, {faults.Values.Sum()} faults, {tally.Wrong} wrong, {tally.Stale} stale, {tally.LostDeletes} lost deletes");
        }

        await faulting;
        await Settled(() => running.All(static task => task.IsCompleted));
        await Settled(() => cache.GetNodes().All(static node => node is { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false }));
        await Settled(() => cache.GetNodes().All(static node => node.PendingOperations == 0));
        IReadOnlyList<MemcachedNodeStatus> nodes = cache.GetNodes();
        (long Managed, long Resident) end = Memory();
        return new SoakReport
        {
            Options = options,
            Setting = "",
            Tally = tally,
            Faults = faults,
            Errors = nodes.Sum(static node => node.Errors) + changes.ErrorsBefore,
            LongestAllowed = (MostLimits * OperationTimeout) + (2 * pauses.Longest),
            Hung = running.Count(static task => !task.IsCompletedSuccessfully),
            NotRecovered = nodes.Count(static node => node is not { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false }),
            PendingLeft = nodes.Sum(static node => node.PendingOperations),
            SocketsLeft = 0,
            BuffersLeft = 0,
            Managed = (start.Managed, end.Managed),
            Resident = (start.Resident, end.Resident),
        };
    }

    /// <summary>Options that differ from seed to seed where they change how failures are dealt with.</summary>
    private static MemcachedCacheOptions Settings(int seed)
    {
        var random = new Random(seed);
        return new MemcachedCacheOptions
        {
            Namespace = "soak:",
            OperationTimeout = OperationTimeout,
            ConnectTimeout = TimeSpan.FromSeconds(1),
            ReconnectDelay = TimeSpan.FromMilliseconds(random.Next(5, 100)),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(500),
            FailureMode = random.Next(2) == 0 ? MemcachedFailureMode.Degrade : MemcachedFailureMode.Throw,
            MaximumUncertainKeys = random.Next(3) switch { 0 => 10, 1 => 100, _ => 100_000 },
            ConnectionsPerNode = random.Next(1, 4),
            Failover = random.Next(2) == 0 ? MemcachedFailover.Gutter : MemcachedFailover.None,
        };
    }

    private static string Describe(MemcachedCacheOptions options)
        => $"{options.FailureMode}, {options.Failover}, up to {options.MaximumUncertainKeys} uncertain keys, {options.ConnectionsPerNode} connections per node";

    private static (long Managed, long Resident) Memory()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return (GC.GetTotalMemory(forceFullCollection: true), Environment.WorkingSet);
    }

    /// <summary>Waits for what must come true, and leaves it to the accounts if it does not.</summary>
    private static async Task Settled(Func<bool> condition)
    {
        try
        {
            await Eventually.True(condition, "");
        }
        catch (TimeoutException)
        {
            // The report says what is left.
        }
    }
}
