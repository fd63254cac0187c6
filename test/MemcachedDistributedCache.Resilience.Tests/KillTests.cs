using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>One of three nodes is killed under load, and started again.</summary>
[Trait("Machine", "Quiet")]
public sealed class KillTests(ITestOutputHelper output)
{
    private const int Callers = 64;
    private const int Rounds = 3;
    private const int Measurements = 3;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    [MemcachedTheory]
    [MemberData(nameof(Failovers.All), MemberType = typeof(Failovers))]
    public async Task A_killed_node_costs_the_others_nothing_its_own_callers_little_and_serves_when_it_is_back(string failover)
    {
        await using MemcachedProcess victim = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedProcess third = await MemcachedProcess.StartAsync();
        var logger = new RecordingLogger();
        int seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");

        // Everything but the servers is as it is by default: the bounds are those that a user gets.
        await using var cache = new MemcachedCache(new MemcachedCacheOptions { Servers = [victim.Server, second.Server, third.Server] }.With(failover), logger);
        await using CallerGroup callers = await CallerGroup.StartAsync(cache, Callers, firstUnpaced: 1, seed);
        using var machine = new MachinePauses();
        int kills = 0;
        long elsewhere = 0;
        Round? best = null;
        for (int measurement = 0; measurement < Measurements && best?.IsGood(failover) != true; measurement++)
        {
            var rounds = new List<Round>();
            double before = await callers.RateAsync(Window, 1, 2);
            for (int i = 0; i < Rounds; i++)
            {
                (double during, TimeSpan[] took) = await KillAsync(cache, victim, callers, machine);
                kills++;
                long foundElsewhere = cache.GetNodes().Sum(static node => node.GutterHits);
                Assert.True(
                    foundElsewhere > elsewhere == Failovers.AnswersElsewhere(failover),
                    $"{foundElsewhere - elsewhere} reads of the dead node's keys found a value");
                elsewhere = foundElsewhere;
                await ServeAgainAsync(cache, victim, machine);
                double after = await callers.RateAsync(Window, 1, 2);
                rounds.Add(new Round(during / ((before + after) / 2), Percentile(took, 0.5), Percentile(took, 0.99)));
                before = after;
            }

            best = new Round(Median(rounds.Select(r => r.Share)), Median(rounds.Select(r => r.P50)), Median(rounds.Select(r => r.P99)));
            output.WriteLine($"the others' share {string.Join(", ", rounds.Select(r => $"{r.Share:0.00}"))}; the dead node's callers: median {best.P50:0.000} ms, p99 {best.P99:0.000} ms");
        }

        await callers.StopAsync();
        Assert.True(best!.IsGood(failover), $"{best} in the last of {Measurements} measurements, seed {seed}");

        // A call that was under way when the node died ends with its connection, not with its limit.
        TimeSpan paused = machine.Longest;
        Assert.All(
            callers.Of(0),
            caller =>
                Assert.True(
                    caller.Longest < TimeSpan.FromSeconds(1.5) + (2 * paused),
                    $"{caller.Longest}; the machine paused for {paused} at most"));
        Assert.All(callers.Of(0), caller => Assert.True(caller.Hits > 0));
        Assert.All(cache.GetNodes().Skip(1), node => Assert.Equal(MemcachedNodeState.Up, node.State));

        // Where the machine itself stood still for about as long as an attempt may last, requests to any node time out.
        Assert.All(
            cache.GetNodes().Skip(1),
            node =>
                Assert.True(
                    node.Errors == 0 || paused > TimeSpan.FromSeconds(0.2),
                    $"{node.Errors} errors; the machine paused for {paused} at most"));
        await logger.SeesAsync($"memcached {victim.Server} is down", kills);
        await logger.SeesAsync($"memcached {victim.Server} is up", kills + 1);
        Assert.Equal(0, logger.Count($"memcached {second.Server} is down") + logger.Count($"memcached {third.Server} is down"));
    }

    /// <summary>Kills the node and measures from a second later on.</summary>
    private static async Task<(double Rate, TimeSpan[] Took)> KillAsync(
        MemcachedCache cache,
        MemcachedProcess victim,
        CallerGroup callers,
        MachinePauses machine)
    {
        await victim.KillAsync();
        long killed = Stopwatch.GetTimestamp();
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        TimeSpan noticed = Stopwatch.GetElapsedTime(killed);
        Assert.True(noticed < TimeSpan.FromSeconds(1) + machine.LongestSince(killed), $"noticed after {noticed}");
        await Task.Delay(noticed < TimeSpan.FromSeconds(1) ? TimeSpan.FromSeconds(1) - noticed : TimeSpan.Zero);
        long from = Stopwatch.GetTimestamp();
        double rate = await callers.RateAsync(Window, 1, 2);
        return (rate, [.. callers.Of(0).SelectMany(caller => caller.Took(from, Stopwatch.GetTimestamp()))]);
    }

    private static async Task ServeAgainAsync(MemcachedCache cache, MemcachedProcess victim, MachinePauses machine)
    {
        long hits = cache.GetNodes()[0].Hits;
        await victim.StartAgainAsync();
        long started = Stopwatch.GetTimestamp();
        await Eventually.True(() => cache.GetNodes()[0].Hits > hits, "the node serves again");
        TimeSpan took = Stopwatch.GetElapsedTime(started);
        Assert.True(took < TimeSpan.FromSeconds(3) + machine.LongestSince(started), $"served again after {took}");
    }

    private static double Percentile(TimeSpan[] took, double share)
    {
        Assert.True(took.Length > 100, $"{took.Length} calls on the dead node show nothing");
        return took.Order().ElementAt((int)(took.Length * share)).TotalMilliseconds;
    }

    private static double Median(IEnumerable<double> numbers) => numbers.Order().ElementAt(Rounds / 2);

    private sealed record Round(double Share, double P50, double P99)
    {
        // A node that answers in the place of another has its own load, which its queue shows.
        public bool IsGood(string failover)
            => Share >= 0.85 && (Failovers.AnswersElsewhere(failover) ? P50 < 20 && P99 < 200 : P50 < 0.1 && P99 < 1);
    }
}
