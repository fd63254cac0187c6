using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Synchronous calls when the thread pool has no thread left.</summary>
[Trait("Machine", "Quiet")]
public sealed class StarvationTests
{
    [MemcachedFact]
    public async Task Two_hundred_synchronous_calls_go_on_when_every_thread_of_the_pool_is_blocked_in_one()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        const int Runs = 5; // what needs the pool only now and then shows in one of ten
        for (int i = 0; i < Runs; i++)
        {
            await WorkerProcess.RunAsync("starve", server.Server);
        }

        // Each of 200 set, read, refreshed, removed and read again under a key of its own.
        IReadOnlyDictionary<string, string> stats = await server.StatsAsync();
        Assert.Equal(($"{Runs * 200}", $"{Runs * 200}"), (stats["cmd_set"], stats["delete_hits"]));
        Assert.InRange(int.Parse(stats["get_misses"]), Runs * 200, Runs * 400); // a touch behind a read may come after the removal
    }
}
