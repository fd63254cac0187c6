using System.Buffers;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Callers that lose interest, ten thousand of them, on a slow line.</summary>
[Trait("Machine", "Quiet")]
public sealed class StormTests(ITestOutputHelper output)
{
    private const int Operations = 10_000;
    private const int AtOnce = 500;
    private const int Keys = 200;

    [MemcachedFact]
    public async Task Ten_thousand_cancelled_operations_leave_nothing_behind_and_mix_nothing_up()
    {
        int seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        await using MemcachedCache cache = Caches.On([proxy.Server]);
        await cache.SetAsync(Name(0), KeyedValues.Create(0, 1, 10), new DistributedCacheEntryOptions());
        Assert.NotNull(await cache.GetAsync(Name(0)));
        int sockets = OpenSockets.Count();
        using var buffers = new ArrayPoolWatch();
        await proxy.ApplyAsync(new Fault
        {
            ToServer = new StreamFault { Delay = TimeSpan.FromMilliseconds(1) },
            ToClient = new StreamFault { Delay = TimeSpan.FromMilliseconds(2), DripBytes = 16 * 1024, DripInterval = TimeSpan.FromMilliseconds(1) },
        });

        (WeakReference[] garbage, int cancelled, int answered, int hits) = await StormAsync(cache, seed);
        output.WriteLine($"{cancelled} cancelled, {answered} answered, {hits} of them with a value");
        Assert.Equal(Operations, cancelled + answered);
        Assert.True(cancelled > Operations / 5 && hits > 100, $"{cancelled} cancelled and {hits} hits show little, seed {seed}");

        await proxy.ApplyAsync(Fault.None);
        await cache.QuietAsync();
        Assert.Equal((0L, 1L), (cache.GetNodes()[0].Errors, proxy.ConnectionsAccepted));
        Assert.Equal("2", (await server.StatsAsync())["curr_connections"]); // the cache's and this question's
        await Eventually.True(() => OpenSockets.Count() <= sockets, "the sockets are those of before");
        Assert.True(buffers.Taken > 100, "the pool is watched");
        await Eventually.True(() => buffers.Outstanding <= 0, $"{buffers.Outstanding} of {buffers.Taken} arrays come back to their pool");

        // What the cache still held of an operation, it would hold of its caller too: the token, and the task.
        await Eventually.True(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return garbage.Count(static reference => reference.IsAlive) < 10;
            },
            "tokens and tasks are garbage");
        for (int key = 0; key < Keys; key++)
        {
            await cache.SetAsync(Name(key), KeyedValues.Create(key, -1, 10), new DistributedCacheEntryOptions());
            Assert.Equal(-1, KeyedValues.VersionOf(key, await cache.GetAsync(Name(key))));
        }
    }

    private static async Task<(WeakReference[] Garbage, int Cancelled, int Answered, int Hits)> StormAsync(MemcachedCache cache, int seed)
    {
        var garbage = new WeakReference[2 * Operations];
        int cancelled = 0, answered = 0, hits = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, Operations), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (number, _) =>
        {
            var random = new Random(Seeds.Of(seed, number));
            using var cancel = new CancellationTokenSource();
            Task<bool> operation = OperateAsync(cache, random, number, cancel.Token);
            garbage[2 * number] = new WeakReference(cancel);
            garbage[(2 * number) + 1] = new WeakReference(operation);
            try
            {
                await CancelAsync(cancel, random);
                Interlocked.Add(ref hits, await operation.WaitAsync(Eventually.Limit, CancellationToken.None) ? 1 : 0);
                Interlocked.Increment(ref answered);
            }
            catch (OperationCanceledException)
            {
                Interlocked.Increment(ref cancelled);
            }
        });
        return (garbage, cancelled, answered, hits);
    }

    /// <summary>Before the request is sent, while it is under way, about when the reply comes, or after it.</summary>
    private static async Task CancelAsync(CancellationTokenSource cancel, Random random)
    {
        switch (random.Next(4))
        {
            case 0:
                await cancel.CancelAsync();
                break;
            case 1:
                cancel.CancelAfter(random.Next(100));
                break;
            case 2:
                await Task.Delay(random.Next(40), CancellationToken.None);
                await cancel.CancelAsync();
                break;
            default:
                cancel.CancelAfter(TimeSpan.FromSeconds(20));
                break;
        }
    }

    private static async Task<bool> OperateAsync(MemcachedCache cache, Random random, int number, CancellationToken token)
    {
        int key = random.Next(Keys);
        switch (random.Next(8))
        {
            case 0 or 1:
                await cache.SetAsync(
                    Name(key),
                    KeyedValues.Create(key, number, random.Next(10) == 0 ? random.Next(50_000) : random.Next(500)),
                    new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) },
                    token);
                return false;
            case 2:
                await cache.RemoveAsync(Name(key), token);
                return false;
            case 3:
                await cache.RefreshAsync(Name(key), token);
                return false;
            case 4 or 5:
                var writer = new ArrayBufferWriter<byte>();
                if (!await cache.TryGetAsync(Name(key), writer, token))
                {
                    return false;
                }

                KeyedValues.VersionOf(key, writer.WrittenSpan);
                return true;
            default:
                byte[]? value = await cache.GetAsync(Name(key), token);
                return value is not null && KeyedValues.VersionOf(key, value) >= -1;
        }
    }

    private static string Name(int key) => "storm " + key;
}
