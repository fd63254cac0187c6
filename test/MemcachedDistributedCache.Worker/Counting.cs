using System.Globalization;

namespace MemcachedDistributedCache.Worker;

/// <summary>One of several processes that count on the same number.</summary>
internal static class Counting
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Says <c>ready</c>, waits for a line, and counts from a few tasks at once. A counter that is missing is made, with a number that no
    /// other has near. Says at the end how many increments may or may not have counted, and each number that it was given.
    /// </summary>
    public static async Task<int> RunAsync(string servers, string key, int times)
    {
        await using var client = new MemcachedClient(new MemcachedClientOptions
        {
            Servers = servers.Split(','),
            OperationTimeout = TimeSpan.FromMilliseconds(250),
            ReconnectDelay = TimeSpan.FromMilliseconds(20),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(100),
        });
        await client.PingAsync(Limit);
        Console.WriteLine("ready");
        await Console.In.ReadLineAsync();
        var told = new System.Collections.Concurrent.ConcurrentQueue<ulong>();
        int left = times;
        int unknown = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                ulong first = ((ulong)Random.Shared.Next(1, int.MaxValue) << 32) + 1;
                MemcachedResult<ulong> number = await client.IncrementAsync(key, 1, first, TimeSpan.FromMinutes(10));
                if (number.IsSuccess)
                {
                    told.Enqueue(number.Value);
                }
                else if (number.Outcome == MemcachedOutcome.Unknown)
                {
                    Interlocked.Increment(ref unknown);
                }
                else
                {
                    // Nothing was counted: so that the counting goes on when the server is back.
                    Interlocked.Increment(ref left);
                    await Task.Delay(20);
                }
            }
        }))).WaitAsync(Limit);
        Console.WriteLine("unknown " + unknown.ToString(CultureInfo.InvariantCulture));
        Console.WriteLine("told " + string.Join(' ', told));
        return 0;
    }
}
