using System.Diagnostics;
using System.Globalization;
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
        var workers = new List<Worker>();
        try
        {
            for (int i = 0; i < 8; i++)
            {
                workers.Add(new Worker("stampede", Servers, space, "cold key", "100", file));
            }

            foreach (Worker worker in workers)
            {
                await worker.SaysAsync("ready");
            }

            foreach (Worker worker in workers)
            {
                worker.Say("go");
            }

            foreach (Worker worker in workers)
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
        using var holder = new Worker("hold", Servers, space, "key");
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
        using var worker = new Worker("stampede", Servers, space, "key", "5", file);
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

    /// <summary>A process of the worker program, ended with the test.</summary>
    private sealed class Worker : IDisposable
    {
        private readonly Process _process;

        public Worker(params string[] arguments)
        {
            var start = new ProcessStartInfo("dotnet") { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false };
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "MemcachedDistributedCache.Worker.dll"));
            foreach (string argument in arguments)
            {
                start.ArgumentList.Add(argument);
            }

            _process = Process.Start(start)!;
        }

        public void Say(string line) => _process.StandardInput.WriteLine(line);

        public async Task SaysAsync(string expected)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            while (await _process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
            {
                if (line == expected)
                {
                    return;
                }
            }

            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"The worker ended and never said '{expected}'."));
        }

        public void Kill()
        {
            _process.Kill();
            _process.WaitForExit();
        }

        public void Dispose()
        {
            if (!_process.HasExited)
            {
                Kill();
            }

            _process.Dispose();
        }
    }
}
