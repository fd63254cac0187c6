using System.Diagnostics;
using System.Globalization;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A node that is there and does not answer: its process is stopped, and the kernel goes on taking what is sent to it.</summary>
[Trait("Machine", "Quiet")]
public sealed class FreezeTests(ITestOutputHelper output)
{
    private const int Callers = 32;
    private const int Measurements = 3;
    private static readonly TimeSpan Frozen = TimeSpan.FromSeconds(7);
    private static readonly TimeSpan GivenUp = TimeSpan.FromSeconds(3.5); // after two limits, with room for a busy machine
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedTheory]
    [MemberData(nameof(Failovers.All), MemberType = typeof(Failovers))]
    public async Task Seven_seconds_of_silence_cost_each_caller_a_limit_or_two_and_the_other_node_nothing(string failover)
    {
        await using MemcachedProcess silent = await MemcachedProcess.StartAsync();
        await using MemcachedProcess well = await MemcachedProcess.StartAsync();
        var logger = new RecordingLogger();
        int seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var options = new MemcachedCacheOptions { Servers = [silent.Server, well.Server] };
        await using var cache = new MemcachedCache(options.With(failover), logger);
        double share = 0;
        using var machine = new MachinePauses();
        for (int measurement = 1; measurement <= Measurements && share < 0.85; measurement++)
        {
            // Each measurement has keys of its own: to new callers, values of the last ones would be wrong.
            MemcachedCache fresh = cache.CreatePartition("measurement-" + measurement);
            await using CallerGroup callers = await CallerGroup.StartAsync(fresh, Callers, firstUnpaced: 1, Seeds.Of(seed, measurement));
            share = await FreezeAsync(cache, silent, callers, options.OperationTimeout, failover, machine);
            await callers.StopAsync();
            await logger.SeesAsync($"memcached {silent.Server} is down", measurement);
            await logger.SeesAsync($"memcached {silent.Server} is up", measurement + 1);
            output.WriteLine($"the other node's share {share:0.00}");
        }

        Assert.True(share >= 0.85, $"{share} in the last of {Measurements} measurements, seed {seed}");
        Assert.True(logger.Count($"memcached {silent.Server} does not answer within") >= 1);
        Assert.Equal(MemcachedNodeState.Up, cache.GetNodes()[1].State);

        // Where the machine itself stood still for about as long as an attempt may last, requests to any node time out.
        Assert.True(
            cache.GetNodes()[1].Errors == 0 || machine.Longest > options.OperationTimeout * 0.2,
            $"{cache.GetNodes()[1].Errors} errors of the other node; the machine paused for {machine.Longest} at most");
    }

    [MemcachedFact]
    public async Task Replies_that_come_too_late_are_dropped_and_the_connection_goes_on()
    {
        const int Count = 200;
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using var cache = new MemcachedCache(new MemcachedCacheOptions { Servers = [server.Server], OperationTimeout = TimeSpan.FromSeconds(3), MaximumRetries = 0, BreakerMinimumThroughput = 1_000_000 });
        for (int key = 0; key < Count; key++)
        {
            await cache.SetAsync(Name(key), KeyedValues.Create(key, 1, key * 20), Default);
        }

        Assert.NotNull(cache.Get(Name(0)));
        IReadOnlyDictionary<string, string> before = await server.StatsAsync();
        MemcachedNodeStatus counted = cache.GetNodes()[0];

        server.Freeze();
        Task<byte[]?>[] late =
        [
            .. Enumerable
                .Range(0, Count)
                .Select(key => key % 10 == 0 ? Blocking.Run(() => cache.Get(Name(key))) : cache.GetAsync(Name(key))),
        ];
        Assert.All(await Task.WhenAll(late).WaitAsync(Eventually.Limit), Assert.Null);
        await Eventually.True(() => cache.GetNodes()[0].Errors >= counted.Errors + Count, "the time-outs are counted");
        MemcachedNodeStatus silent = cache.GetNodes()[0];
        Assert.Equal((MemcachedNodeState.Up, Count), (silent.State, silent.PendingOperations));
        Assert.Equal((counted.Timeouts + Count, counted.Errors + Count), (silent.Timeouts, silent.Errors));

        // In the other order, so that each of these waits behind another key's late reply.
        Task<byte[]?>[] next = [.. Enumerable.Range(0, Count).Reverse().Select(key => cache.GetAsync(Name(key)))];
        server.Thaw();
        byte[]?[] values = await Task.WhenAll(next).WaitAsync(Eventually.Limit);
        for (int i = 0; i < Count; i++)
        {
            int key = Count - 1 - i;
            Assert.Equal(1, KeyedValues.VersionOf(key, values[i]));
            Assert.Equal(key * 20 + 16, values[i]!.Length);
        }

        await cache.QuietAsync();
        IReadOnlyDictionary<string, string> after = await server.StatsAsync();
        Assert.Equal(2 * Count, Difference("cmd_get")); // the server answered them all
        Assert.Equal(Count, cache.GetNodes()[0].Hits - counted.Hits); // and half of its answers met nobody
        Assert.Equal(1, Difference("total_connections")); // that of this question: no connection was given up

        long Difference(string name) => Number(after[name]) - Number(before[name]);
        static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
    }

    private static async Task<double> FreezeAsync(
        MemcachedCache cache,
        MemcachedProcess silent,
        CallerGroup callers,
        TimeSpan limit,
        string failover,
        MachinePauses machine)
    {
        var window = TimeSpan.FromSeconds(0.5);
        long began = Stopwatch.GetTimestamp();
        var well = new List<double> { await callers.RateAsync(window, 1), await callers.RateAsync(window, 1) };
        silent.Freeze();
        long frozen = Stopwatch.GetTimestamp();
        var during = new List<double>();
        while (Stopwatch.GetElapsedTime(frozen) < Frozen)
        {
            during.Add(await callers.RateAsync(window, 1));
        }

        long thawing = Stopwatch.GetTimestamp();
        long hits = cache.GetNodes()[0].Hits;
        silent.Thaw();
        await Eventually.True(() => cache.GetNodes()[0].Hits > hits, "the node serves again");
        TimeSpan thawed = Stopwatch.GetElapsedTime(thawing);
        Assert.True(thawed < TimeSpan.FromSeconds(3) + machine.LongestSince(thawing), $"served again after {thawed}");
        well.Add(await callers.RateAsync(window, 1));
        well.Add(await callers.RateAsync(window, 1));

        TimeSpan paused = machine.LongestSince(began);
        foreach (DedicatedCaller caller in callers.Of(0))
        {
            // Those that waited, did so for an attempt or two, within the limit; and once it was clear that nothing comes, nobody did.
            Assert.InRange(caller.Longest, limit * 0.35, (limit * 1.5) + (2 * paused));
            TimeSpan[] waited = [.. caller.Took(frozen - Stopwatch.Frequency, thawing).Where(took => took > limit * 0.3)];
            Assert.NotEmpty(waited);
            Assert.InRange(waited.Count(took => took > (limit * 0.3) + paused), 0, 4);
        }

        long givenUp = frozen + (long)(GivenUp.TotalSeconds * Stopwatch.Frequency);
        TimeSpan[] took = [.. callers.Of(0).SelectMany(caller => caller.Took(givenUp, thawing)).Order()];
        Assert.True(took.Length > 1000, $"{took.Length} calls");
        Assert.True(
            took[took.Length / 2] < (Failovers.AnswersElsewhere(failover) ? TimeSpan.FromMilliseconds(20) : TimeSpan.FromMicroseconds(100)),
            $"{took[took.Length / 2]}");
        Assert.All(callers.Of(1), caller => Assert.True(caller.Longest < limit + (2 * paused), $"{caller.Longest}"));
        return Median(during) / Median(well);
    }

    private static double Median(List<double> numbers) => numbers.Order().ElementAt(numbers.Count / 2);

    private static string Name(int key) => "late " + key;
}
