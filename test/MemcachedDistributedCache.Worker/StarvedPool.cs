using System.Globalization;
using System.Text;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Worker;

/// <summary>
/// A thread pool with as many threads as there are cores, all of which go from one synchronous call to the next: whatever needed
/// the pool to complete one would wait until the operation's limit, and fail.
/// </summary>
internal static class StarvedPool
{
    private const int Calls = 200;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public static int Run(string server, string? caFile)
    {
        int threads = Environment.ProcessorCount;
        if (!ThreadPool.SetMinThreads(1, 1) || !ThreadPool.SetMaxThreads(threads, threads))
        {
            Console.Error.WriteLine("the pool's size cannot be set");
            return 1;
        }

        using var cache = new MemcachedCache(new MemcachedCacheOptions
        {
            Servers = [server],
            FailureMode = MemcachedFailureMode.Throw,
            OperationTimeout = TimeSpan.FromSeconds(5),
            Tls = { Enabled = caFile is not null, CaFile = caFile },
        });
        using var done = new CountdownEvent(Calls);
        int failures = 0;
        for (int i = 0; i < Calls; i++)
        {
            string key = i.ToString(CultureInfo.InvariantCulture);
            ThreadPool.QueueUserWorkItem(_ =>
            {
                try
                {
                    UseSynchronously(cache, key);
                }
                catch (Exception exception)
                {
                    Interlocked.Increment(ref failures);
                    Console.Error.WriteLine(exception);
                }
                finally
                {
                    done.Signal();
                }
            });
        }

        if (!done.Wait(Limit))
        {
            Console.Error.WriteLine($"{done.CurrentCount} of {Calls} are still blocked");
            Environment.Exit(1);
        }

        return failures == 0 ? 0 : 1;
    }

    private static void UseSynchronously(MemcachedCache cache, string key)
    {
        byte[] value = Encoding.UTF8.GetBytes("the value of " + key);
        cache.Set(key, value, new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) });
        Expect(value.AsSpan().SequenceEqual(cache.Get(key)), "the value is the key's own");
        cache.Refresh(key);
        cache.Remove(key);
        Expect(cache.Get(key) is null, "the value is gone");
    }

    private static void Expect(bool condition, string what)
    {
        if (!condition)
        {
            throw new InvalidOperationException("Expected that " + what + ".");
        }
    }
}
