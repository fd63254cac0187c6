using System.Diagnostics;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Several real processes on the same servers.</summary>
public sealed class ProcessTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    private readonly ThreeNodes _nodes = nodes;

    private string Servers => string.Join(',', _nodes.Servers.Select(static server => server.Server));

    [MemcachedFact]
    public async Task Eight_processes_with_a_hundred_callers_each_run_the_factory_once()
    {
        string space = Instance.Space();
        string file = Path.Combine(Path.GetTempPath(), "stampede-" + Guid.NewGuid().ToString("N"));
        var workers = new List<WorkerProcess>();
        try
        {
            for (int i = 0; i < 8; i++)
            {
                workers.Add(new WorkerProcess("stampede", Servers, space, "cold key", "100", file));
            }

            foreach (WorkerProcess worker in workers)
            {
                await worker.SaysAsync("ready");
            }

            foreach (WorkerProcess worker in workers)
            {
                worker.Say("go");
            }

            foreach (WorkerProcess worker in workers)
            {
                await worker.SaysAsync("had 100");
            }

            Assert.Equal(1, new FileInfo(file).Length);
        }
        finally
        {
            workers.ForEach(static worker => worker.Dispose());
            File.Delete(file);
        }
    }

    [MemcachedFact]
    public async Task When_the_holder_is_killed_in_its_factory_another_takes_over_within_the_lease_and_a_second()
    {
        string space = Instance.Space();
        await using Instance other = Instance.On(_nodes.Servers.Select(static server => server.Server), space);
        await other.Peek<int>("warm");
        using var holder = new WorkerProcess("hold", Servers, space, "key");
        await holder.SaysAsync("factory");
        Task<string> waiting = other.Get("key", static _ => new ValueTask<string>("taken over")).AsTask();
        await Eventually.True(() => other.Statistics.LeasesWaitedFor == 1, "the other waits");
        using var machine = new MachinePauses();
        long killed = Stopwatch.GetTimestamp();
        holder.Kill();
        Assert.Equal("taken over", await waiting.WaitAsync(Eventually.Limit));
        Assert.InRange(Stopwatch.GetElapsedTime(killed), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(11) + (2 * machine.Longest));
        Assert.Equal(1, other.Statistics.FactoryRuns);
        Assert.Equal("taken over", await other.PeekCluster<string>("key"));
    }

    [MemcachedFact]
    public async Task A_remove_wins_against_another_processs_factory()
    {
        string space = Instance.Space();
        await using Instance other = Instance.On(_nodes.Servers.Select(static server => server.Server), space);
        string file = Path.Combine(Path.GetTempPath(), "stampede-" + Guid.NewGuid().ToString("N"));
        using var worker = new WorkerProcess("stampede", Servers, space, "key", "5", file);
        try
        {
            await worker.SaysAsync("ready");
            worker.Say("go");
            await worker.SaysAsync("factory");
            await other.Cache.RemoveAsync("key");
            await worker.SaysAsync("had 5");
            Assert.Null(await other.PeekCluster<string>("key"));
            Assert.Equal("mine", await other.Get("key", static _ => new ValueTask<string>("mine")));
        }
        finally
        {
            File.Delete(file);
        }
    }
}
