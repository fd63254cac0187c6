namespace MemcachedDistributedCache.Worker;

/// <summary>One of several processes that want the same value of the hybrid cache.</summary>
internal static class Stampede
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Says <c>ready</c>, waits for a line, and calls for the key from many tasks at once. Each run of the factory adds
    /// a byte to the file. Says at the end how many callers had the value, and how many lines it has had meanwhile.
    /// </summary>
    public static async Task<int> RunAsync(string servers, string space, string key, int callers, string file)
    {
        await using MemcachedCache below = Cache(servers, space);
        using var cache = new MemcachedHybridCache(below);
        await cache.SetAsync("warm " + Environment.ProcessId, "so that the connections are open");
        Console.WriteLine("ready");
        await Console.In.ReadLineAsync();
        string[] values = await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(() => cache.GetOrCreateAsync(key, async token =>
        {
            using (var stream = new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
            {
                stream.WriteByte((byte)'x');
            }

            Console.WriteLine("factory");
            await Task.Delay(1000, token);
            return "value";
        }).AsTask()))).WaitAsync(Limit);
        Console.WriteLine("had " + values.Count(static value => value == "value"));
        return 0;
    }

    /// <summary>Takes the lease of a key and never gives it back: to be killed.</summary>
    public static async Task<int> HoldAsync(string servers, string space, string key)
    {
        await using MemcachedCache below = Cache(servers, space);
        using var cache = new MemcachedHybridCache(below);
        using var limit = new CancellationTokenSource(Limit);
        await cache.GetOrCreateAsync(
            key,
            static async token =>
            {
                Console.WriteLine("factory");
                await Task.Delay(Timeout.Infinite, token);
                return "never";
            },
            cancellationToken: limit.Token);
        return 1;
    }

    private static MemcachedCache Cache(string servers, string space)
        => new(new MemcachedCacheOptions { Servers = servers.Split(','), Namespace = space, OperationTimeout = TimeSpan.FromSeconds(10) });
}
