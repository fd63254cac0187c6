using System.Diagnostics;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>What befalls all nodes, one after the other or at once, while callers go on. Every value that they read is judged.</summary>
[Trait("Machine", "Quiet")]
public sealed class OutageUnderLoadTests(ITestOutputHelper output)
{
    private const int Nodes = 3;
    private const int Callers = 24;
    private const int Measurements = 3;
    private static readonly TimeSpan ServingAgain = TimeSpan.FromSeconds(3);

    [MemcachedTheory]
    [MemberData(nameof(Failovers.All), MemberType = typeof(Failovers))]
    public async Task All_nodes_are_restarted_one_after_the_other(string failover)
    {
        var servers = new List<MemcachedProcess>();
        try
        {
            for (int i = 0; i < Nodes; i++)
            {
                servers.Add(await MemcachedProcess.StartAsync());
            }

            var logger = new RecordingLogger();
            await using MemcachedCache cache = On(servers.Select(server => server.Server), failover, logger);
            using var machine = new MachinePauses();
            await using CallerGroup callers = await StartAsync(cache);
            for (int i = 0; i < Nodes; i++)
            {
                long hits = cache.GetNodes()[i].Hits;
                await servers[i].KillAsync();
                await Eventually.True(() => cache.GetNodes()[i].State == MemcachedNodeState.Down, "the node is down");
                long[] others = [.. cache.GetNodes().Select(node => node.Hits)];
                await servers[i].StartAgainAsync();
                long started = Stopwatch.GetTimestamp();
                await Eventually.True(() => cache.GetNodes()[i].Hits > hits, "the node serves again");
                TimeSpan served = Stopwatch.GetElapsedTime(started);
                Assert.True(served < ServingAgain + machine.LongestSince(started), $"served again after {served}");
                await Eventually.True(
                    () => Enumerable.Range(0, Nodes).All(node => node == i || cache.GetNodes()[node].Hits > others[node]),
                    "the others go on serving");
            }

            await callers.StopAsync();
            await cache.ReadableAsync();
            foreach (MemcachedProcess server in servers)
            {
                await logger.SeesAsync($"memcached {server.Server} is down", 1);
                await logger.SeesAsync($"memcached {server.Server} is up", 2);
            }
        }
        finally
        {
            foreach (MemcachedProcess server in servers)
            {
                await server.DisposeAsync();
            }
        }
    }

    [MemcachedTheory]
    [MemberData(nameof(Failovers.All), MemberType = typeof(Failovers))]
    public async Task All_nodes_are_cut_off_for_three_seconds_and_keep_their_memory(string failover)
    {
        var servers = new List<MemcachedProcess>();
        var proxies = new List<FaultProxy>();
        try
        {
            for (int i = 0; i < Nodes; i++)
            {
                servers.Add(await MemcachedProcess.StartAsync());
                proxies.Add(await FaultProxy.StartAsync(servers[i].EndPoint));
            }

            await using MemcachedCache cache = On(proxies.Select(proxy => proxy.Server), failover, new RecordingLogger());
            using var machine = new MachinePauses();
            await using CallerGroup callers = await StartAsync(cache);
            await callers.RateAsync(TimeSpan.FromSeconds(0.5), 0);
            foreach (FaultProxy proxy in proxies)
            {
                await proxy.ApplyAsync(Fault.Refuse);
                proxy.DropConnections(reset: true);
            }

            await Eventually.True(() => cache.GetNodes().All(node => node.State == MemcachedNodeState.Down), "all nodes are down");
            long hits = cache.GetNodes().Sum(node => node.Hits);
            await AnswerAtOnceAsync(callers, TimeSpan.FromSeconds(3), calls: 1000);
            Assert.Equal(hits, cache.GetNodes().Sum(node => node.Hits));
            Assert.All(cache.GetNodes(), node => Assert.True(node.UncertainKeys > 0));

            long[] before = [.. cache.GetNodes().Select(node => node.Hits)];
            foreach (FaultProxy proxy in proxies)
            {
                await proxy.ApplyAsync(Fault.None);
            }

            long healed = Stopwatch.GetTimestamp();
            await Eventually.True(() => cache.GetNodes().Select((node, i) => node.Hits > before[i]).All(static served => served), "all nodes serve again");
            TimeSpan served = Stopwatch.GetElapsedTime(healed);
            Assert.True(served < ServingAgain + machine.LongestSince(healed), $"served again after {served}");
            await cache.ReadableAsync();
            await callers.StopAsync();
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
    }

    [MemcachedTheory]
    [MemberData(nameof(Failovers.All), MemberType = typeof(Failovers))]
    public async Task For_three_seconds_packets_vanish_on_the_way_to_all_nodes_and_back(string failover)
    {
        var vanishing = new StreamFault { Stall = true };
        var limit = TimeSpan.FromSeconds(1);
        var servers = new List<MemcachedProcess>();
        var proxies = new List<FaultProxy>();
        try
        {
            for (int i = 0; i < Nodes; i++)
            {
                servers.Add(await MemcachedProcess.StartAsync());
                proxies.Add(await FaultProxy.StartAsync(servers[i].EndPoint));
            }

            var logger = new RecordingLogger();
            await using MemcachedCache cache = On(proxies.Select(proxy => proxy.Server), failover, logger);
            using var machine = new MachinePauses();
            await using CallerGroup callers = await StartAsync(cache);
            await callers.RateAsync(TimeSpan.FromSeconds(0.5), 0);
            foreach (FaultProxy proxy in proxies)
            {
                await proxy.ApplyAsync(new Fault { ToServer = vanishing, ToClient = vanishing });
            }

            // Callers wait for an attempt or two, and no longer once the nodes are known to be silent.
            long cut = Stopwatch.GetTimestamp();
            await Eventually.True(() => cache.GetNodes().All(node => node.State == MemcachedNodeState.Down), "all nodes are down");
            TimeSpan noticed = Stopwatch.GetElapsedTime(cut);
            Assert.True(noticed < (limit * 3.5) + (2 * machine.LongestSince(cut)), $"down after {noticed}");
            long hits = cache.GetNodes().Sum(node => node.Hits);
            await AnswerAtOnceAsync(callers, TimeSpan.FromSeconds(Math.Max(0.5, 3 - Stopwatch.GetElapsedTime(cut).TotalSeconds)), calls: 300);
            Assert.Equal(hits, cache.GetNodes().Sum(node => node.Hits));
            Assert.All(cache.GetNodes(), node => Assert.True(node.UncertainKeys > 0 && node.Timeouts > 0));

            // What was under way never arrives.
            long[] before = [.. cache.GetNodes().Select(node => node.Hits)];
            foreach (FaultProxy proxy in proxies)
            {
                proxy.DropConnections(reset: true);
                await proxy.ApplyAsync(Fault.None);
            }

            long healed = Stopwatch.GetTimestamp();
            await Eventually.True(() => cache.GetNodes().Select((node, i) => node.Hits > before[i]).All(static served => served), "all nodes serve again");
            TimeSpan served = Stopwatch.GetElapsedTime(healed);
            Assert.True(served < ServingAgain + machine.LongestSince(healed), $"served again after {served}");
            await cache.ReadableAsync();
            await callers.StopAsync();
            Assert.All(
                Enumerable.Range(0, Nodes).SelectMany(callers.Of),
                caller =>
                    Assert.True(
                        caller.Longest < (limit * 2) + (2 * machine.Longest),
                        $"{caller.Longest}; the machine paused for {machine.Longest} at most"));
            Assert.All(Enumerable.Range(0, Nodes).SelectMany(callers.Of), caller => Assert.True(caller.Hits > 0));
            foreach (FaultProxy proxy in proxies)
            {
                await logger.SeesAsync($"memcached {proxy.Server} is down", 1);
                await logger.SeesAsync($"memcached {proxy.Server} is up", 2);
            }
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
    }

    /// <summary>
    /// Measures what calls take while no node is worth asking. A machine that is busy elsewhere takes the processor
    /// from some of them, so that one good measurement of three is enough; the outage goes on meanwhile.
    /// </summary>
    private async Task AnswerAtOnceAsync(CallerGroup callers, TimeSpan span, int calls)
    {
        bool isGood = false;
        string figures = "";
        for (int measurement = 0; measurement < Measurements && !isGood; measurement++)
        {
            long from = Stopwatch.GetTimestamp();
            await callers.RateAsync(span);
            TimeSpan[] took = [.. Enumerable.Range(0, Nodes).SelectMany(callers.Of).SelectMany(caller => caller.Took(from, Stopwatch.GetTimestamp())).Order()];
            Assert.True(took.Length > calls, $"{took.Length} calls in {span}");
            (TimeSpan median, TimeSpan p99) = (took[took.Length / 2], took[took.Length * 99 / 100]);
            figures = $"median {median.TotalMicroseconds:0} µs, p99 {p99.TotalMicroseconds:0} µs";
            output.WriteLine(figures);
            isGood = median < TimeSpan.FromMicroseconds(100) && p99 < TimeSpan.FromMilliseconds(2);
        }

        Assert.True(isGood, $"{figures} in the last of {Measurements} measurements");
    }

    private static MemcachedCache On(IEnumerable<string> servers, string failover, RecordingLogger logger)
        => new(new MemcachedCacheOptions { Servers = [.. servers] }.With(failover), logger);

    private async Task<CallerGroup> StartAsync(MemcachedCache cache)
    {
        int seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        return await CallerGroup.StartAsync(cache, Callers, firstUnpaced: Nodes, seed);
    }
}
