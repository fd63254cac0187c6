using System.Collections.Concurrent;

namespace MemcachedDistributedCache.Soak;

/// <summary>
/// Changes the list of servers now and then as the seed has it: one leaves, or comes back, or gets another share. In the end all are there.
/// </summary>
internal sealed class ServerChanges(string[] all, ConcurrentDictionary<string, int> made, Random random, bool isCalm)
{
    private const int LongestPause = 6000;

    /// <summary>Operations without an answer on nodes that have left, whose counts went with them.</summary>
    public long ErrorsBefore { get; private set; }

    /// <summary>Goes on until it is stopped.</summary>
    public async Task RunAsync(MemcachedCache cache, CancellationToken stop)
    {
        while (!isCalm && await PauseAsync(random.Next(500, LongestPause), stop))
        {
            int leaver = random.Next(-1, all.Length);
            string[] servers = [.. all.Where((_, i) => i != leaver).Select(server => random.Next(4) == 0 ? $"{server};weight={random.Next(1, 4)}" : server)];
            await ChangeAsync(cache, servers);
            made.AddOrUpdate(servers.Length < all.Length ? "server list without one" : "server list of all", 1, static (_, count) => count + 1);
        }

        await ChangeAsync(cache, all);
    }

    private async Task ChangeAsync(MemcachedCache cache, string[] servers)
    {
        ErrorsBefore += cache.GetNodes().Where(node => !Array.Exists(servers, server => server.Split(';')[0] == node.Server)).Sum(static node => node.Errors);
        await cache.ReloadAsync(servers);
    }

    private static async Task<bool> PauseAsync(int milliseconds, CancellationToken stop)
    {
        await Task.Delay(milliseconds, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !stop.IsCancellationRequested;
    }
}
