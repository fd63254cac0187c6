using System.CommandLine;
using System.Diagnostics;

namespace MemcachedDistributedCache.Load;

/// <summary>What a cache costs that is connected to many servers and not used.</summary>
internal static class IdleCost
{
    private const int KeysPerServer = 60;
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(5);

    /// <summary>The command's grammar.</summary>
    public static Command Command()
    {
        Option<int> servers = new("--servers") { Description = "memcached processes", DefaultValueFactory = _ => 100 };
        Option<double> seconds = new("--seconds") { Description = "how long the cache idles", DefaultValueFactory = _ => 20 };
        var command = new Command("idle", "CPU and memory of a cache that is connected to many servers and not used.") { servers, seconds };
        command.SetAction(
            (parsed, cancellationToken) =>
                RunAsync(Math.Clamp(parsed.GetValue(servers), 1, 500), TimeSpan.FromSeconds(parsed.GetValue(seconds)), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int count, TimeSpan duration, CancellationToken cancellationToken)
    {
        await using LocalServers servers = await LocalServers.StartAsync(Transport.Tcp, count, TimeSpan.FromMinutes(10) + duration, cancellationToken);
        (double share, _) = await IdleAsync(duration, cancellationToken);
        Console.WriteLine($"{Report.Machine}; {count} servers, {duration.TotalSeconds:0.##} s");
        Console.WriteLine($"this process without a cache: {share:0.00%} of one core");

        long heap = GC.GetTotalMemory(forceFullCollection: true);
        await using var cache = new MemcachedCache(new MemcachedCacheOptions { Servers = servers.Way.Nodes });
        for (int key = 0; key < count * KeysPerServer; key++)
        {
            await cache.SetAsync($"idle:{key}", [1], new(), cancellationToken);
        }

        int connected = cache.GetNodes().Count(static node => node.State == MemcachedNodeState.Up && node.ServerVersion is not null);
        (share, long after) = await IdleAsync(duration, cancellationToken);
        Console.WriteLine($"with a cache on {connected} servers: {share:0.00%} of one core, {(after - heap) / (double)Math.Max(1, connected) / 1024:0.0} KB of managed memory for each connection");
        return connected == count ? 0 : 1;
    }

    private static async Task<(double Share, long Heap)> IdleAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        // The compiler's second thoughts on what ran before are none of the cache's cost.
        await Task.Delay(Settle, cancellationToken);
        long heap = GC.GetTotalMemory(forceFullCollection: true);
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long started = Stopwatch.GetTimestamp();
        await Task.Delay(duration, cancellationToken);
        return ((Environment.CpuUsage.TotalTime - cpu) / Stopwatch.GetElapsedTime(started), heap);
    }
}
