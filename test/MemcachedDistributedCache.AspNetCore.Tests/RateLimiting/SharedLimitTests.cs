using System.Globalization;
using System.Threading.RateLimiting;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.AspNetCore.Tests.RateLimiting;

/// <summary>Limits on real servers.</summary>
public sealed class SharedLimitTests(OwnNodes nodes) : IClassFixture<OwnNodes>
{
    private const int Processes = 8;
    private const int Attempts = 10_000;
    private const int Limit = 1000;
    private const int Quarters = 4;
    private const int Seconds = 3;

    [MemcachedFact]
    public async Task Eight_processes_never_exceed_a_thousand_a_second_and_have_nearly_all_of_it()
    {
        List<WorkerProcess> workers = [];
        try
        {
            string space = PageApp.NewNamespace();
            for (int i = 0; i < Processes; i++)
            {
                workers.Add(new WorkerProcess(
                    "limit",
                    nodes.ConnectionString,
                    space,
                    (Attempts / Processes).ToString(CultureInfo.InvariantCulture),
                    (Seconds * 1000).ToString(CultureInfo.InvariantCulture),
                    i % 2 == 0 ? "blocking" : "async"));
            }

            foreach (WorkerProcess worker in workers)
            {
                await worker.SaysAsync("ready");
            }

            long second = TimeSpan.TicksPerSecond;
            long start = ((TimeProvider.System.GetUtcNow().Ticks / second) + 1) * second;
            workers.ForEach(worker => worker.Say(start.ToString(CultureInfo.InvariantCulture)));
            var counts = new Dictionary<(string Name, string What), SortedDictionary<long, int>>();
            foreach (WorkerProcess worker in workers)
            {
                foreach (string[] parts in (await worker.SaysAsync("done")).Select(static line => line.Split(' ')))
                {
                    (string, string) what = (parts[0], parts[1]);
                    SortedDictionary<long, int> quarters = counts.GetValueOrDefault(what) ?? (counts[what] = []);
                    long quarter = long.Parse(parts[2], CultureInfo.InvariantCulture);
                    quarters[quarter] = quarters.GetValueOrDefault(quarter) + int.Parse(parts[3], CultureInfo.InvariantCulture);
                }
            }

            Judge("fixed", counts, static last => last / Quarters * Quarters);
            Judge("sliding", counts, static last => last - Quarters + 1);
        }
        finally
        {
            workers.ForEach(static worker => worker.Dispose());
        }
    }

    /// <summary>
    /// No window has more than the limit, and nearly all is granted that could be at the times at which there were attempts: a machine
    /// that pauses makes none, and what a sliding window might have granted then is lost.
    /// </summary>
    private static void Judge(
        string name,
        Dictionary<(string Name, string What), SortedDictionary<long, int>> counts,
        Func<long, long> firstOfWindow)
    {
        SortedDictionary<long, int> granted = counts[(name, "granted")];
        SortedDictionary<long, int> attempted = counts[(name, "attempted")];
        int InWindow(IReadOnlyDictionary<long, int> of, long last)
            => (int)of.Where(one => one.Key >= firstOfWindow(last) && one.Key <= last).Sum(static one => one.Value);
        Assert.All(granted.Keys, last => Assert.InRange(InWindow(granted, last), 0, Limit));
        var possible = new SortedDictionary<long, int>();
        foreach ((long quarter, int attempts) in attempted)
        {
            possible[quarter] = Math.Min(attempts, Limit - InWindow(possible, quarter));
        }

        Assert.Equal(Attempts, attempted.Values.Sum());
        int all = granted.Values.Sum() + counts.GetValueOrDefault((name, "between"), []).Values.Sum();
        int most = possible.Values.Sum();
        Assert.True(all >= 0.98 * most, $"{name}: {all} of {most}: {string.Join(", ", granted)}; {string.Join(", ", attempted)}");
    }

    [MemcachedTheory]
    [InlineData(MemcachedProtocol.Meta)]
    [InlineData(MemcachedProtocol.Classic)]
    public async Task Limiters_on_two_clients_share_their_windows_in_either_dialect(MemcachedProtocol protocol)
    {
        string space = PageApp.NewNamespace();
        await using MemcachedClient one = Client(nodes.ConnectionString, space, protocol);
        await using MemcachedClient other = Client(nodes.ConnectionString, space, protocol);
        var time = new ManualTimeProvider(TimeProvider.System.GetUtcNow());
        var minute = TimeSpan.FromMinutes(1);
        MemcachedRateLimiter Fixed(MemcachedClient client, string? partition)
            => new(client, "fixed", new MemcachedFixedWindowRateLimiterOptions { PermitLimit = 5, Window = minute }, partition, time);
        MemcachedRateLimiter Sliding(MemcachedClient client, string? partition)
            => new(
                client,
                "sliding",
                new MemcachedSlidingWindowRateLimiterOptions { PermitLimit = 5, Window = minute, SegmentsPerWindow = 6 },
                partition,
                time);
        foreach (string? partition in (string?[])[null, "", "a b\r\nflush_all\r\n", "\ud800"])
        {
            (MemcachedRateLimiter, MemcachedRateLimiter)[] pairs =
                [(Fixed(one, partition), Fixed(other, partition)), (Sliding(one, partition), Sliding(other, partition))];
            foreach ((MemcachedRateLimiter mine, MemcachedRateLimiter theirs) in pairs)
            {
                RateLimitLease[] leases = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => (i % 2 == 0 ? mine : theirs).AcquireAsync().AsTask()));
                Assert.Equal(5, leases.Count(static lease => lease.IsAcquired));
                Assert.False(mine.AttemptAcquire().IsAcquired);
                Assert.False(theirs.AttemptAcquire().IsAcquired);
                Assert.Equal(5, mine.GetStatistics()!.TotalSuccessfulLeases + theirs.GetStatistics()!.TotalSuccessfulLeases);
            }
        }

        // A window later there are permits again, by blocking calls too; what was refused before has been given back.
        time.Advance(minute);
        MemcachedRateLimiter later = Sliding(one, null);
        Assert.True(later.AttemptAcquire(5).IsAcquired);
        Assert.False(later.AttemptAcquire().IsAcquired);
    }

    [MemcachedTheory]
    [InlineData(false, MemcachedRateLimiterOutage.Allow)]
    [InlineData(false, MemcachedRateLimiterOutage.Refuse)]
    [InlineData(true, MemcachedRateLimiterOutage.Allow)]
    [InlineData(true, MemcachedRateLimiterOutage.Refuse)]
    public async Task An_outage_is_open_or_closed_and_ends(bool isFrozen, MemcachedRateLimiterOutage onOutage)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedClient client = Client(server.Server, PageApp.NewNamespace(), MemcachedProtocol.Auto, isFrozen ? TimeSpan.FromMilliseconds(300) : null);
        var log = new RecordingLogger();
        var time = new ManualTimeProvider(TimeProvider.System.GetUtcNow());
        var options = new MemcachedSlidingWindowRateLimiterOptions
        {
            PermitLimit = 3,
            Window = TimeSpan.FromMinutes(1),
            SegmentsPerWindow = 2,
            OnOutage = onOutage,
        };
        using var limiter = new MemcachedRateLimiter(client, "orders", options, timeProvider: time, loggerFactory: log);
        using var other = new MemcachedRateLimiter(client, "orders", options, timeProvider: time, loggerFactory: log);
        await Eventually.True(async () => (await client.PingAsync()).All(static ping => ping.Failure is null), "the server answers");
        Assert.True((await limiter.AcquireAsync()).IsAcquired);
        if (isFrozen)
        {
            server.Freeze();
        }
        else
        {
            await server.KillAsync();
        }

        RateLimitLease lease = await limiter.AcquireAsync();
        Assert.Equal(onOutage == MemcachedRateLimiterOutage.Allow, lease.IsAcquired);
        Assert.Equal(!lease.IsAcquired, lease.TryGetMetadata(MetadataName.RetryAfter, out TimeSpan retryAfter) && retryAfter > TimeSpan.Zero);
        Assert.Equal(onOutage == MemcachedRateLimiterOutage.Allow, limiter.AttemptAcquire().IsAcquired);
        Assert.False((await limiter.AcquireAsync()).IsAcquired);
        Assert.Single(log.Of(4100));
        if (isFrozen)
        {
            server.Thaw();
        }
        else
        {
            await server.StartAgainAsync();
        }

        await Eventually.True(async () => (await client.PingAsync()).All(static ping => ping.Failure is null), "the server answers again");
        await Eventually.True(
            async () =>
            {
                time.Advance(TimeSpan.FromMinutes(1));
                return (await limiter.AcquireAsync(3)).IsAcquired && !(await other.AcquireAsync()).IsAcquired;
            },
            "the limit holds again");
    }

    private static MemcachedClient Client(string servers, string space, MemcachedProtocol protocol, TimeSpan? timeout = null)
        => new(new MemcachedClientOptions
        {
            Servers = servers.Split(','),
            Namespace = space,
            Protocol = protocol,
            OperationTimeout = timeout ?? TimeSpan.FromSeconds(10),
        });
}
