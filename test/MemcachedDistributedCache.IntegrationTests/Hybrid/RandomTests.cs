using System.Collections.Concurrent;
using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>
/// Random gets, sets, removes and invalidations on three instances at once, held against the bounds of staleness. There
/// is a source with a version for each key; the application changes the source and then removes, sets or invalidates,
/// as applications do. What a get gives must be no older than the source was when the bound began: at once on the
/// instance that made the change, the intervals elsewhere.
/// </summary>
public sealed class RandomTests(ThreeNodes nodes, ITestOutputHelper output) : HybridTestBase(nodes)
{
    private const int Keys = 12;
    private const int Tags = 3;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(150);

    /// <summary>For a read that was under way when the bound began, and for a machine that is busy elsewhere.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(60);

    [MemcachedFact]
    public Task Nothing_is_older_than_its_bound() => RunAsync(staleWindow: TimeSpan.Zero, TimeSpan.FromSeconds(6));

    private async Task RunAsync(TimeSpan staleWindow, TimeSpan duration)
    {
        int seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        Instance[] instances = Make(3, options =>
        {
            options.Hybrid.LocalCacheRevalidation = Interval;
            options.Hybrid.TagRefreshInterval = Interval;
            options.Hybrid.StaleWindow = staleWindow;
        });
        var source = new Source();
        long end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var failures = new ConcurrentQueue<string>();
        using var machine = new MachinePauses();
        int reads = 0;
        await Task.WhenAll(Enumerable.Range(0, 24).Select(worker => Task.Run(async () =>
        {
            var random = new Random(seed + worker);
            Instance instance = instances[worker % 3];
            while (Stopwatch.GetTimestamp() < end && failures.IsEmpty)
            {
                int key = random.Next(Keys);
                string name = "key" + key;
                string[] tags = ["tag" + (key % Tags)];
                switch (random.Next(20))
                {
                    case 0:
                        await source.ChangeAsync([key], worker % 3, _ => instance.Cache.RemoveAsync(name));
                        break;
                    case 1:
                        await source.ChangeAsync([key], worker % 3, versions => instance.Cache.SetAsync(name, versions[0], tags: tags));
                        break;
                    case 2:
                        int tag = random.Next(Tags);
                        await source.ChangeAsync([.. Enumerable.Range(0, Keys).Where(k => k % Tags == tag)], worker % 3, _ => instance.Cache.RemoveByTagAsync("tag" + tag));
                        break;
                    case 3 when random.Next(4) == 0:
                        await source.ChangeAsync([.. Enumerable.Range(0, Keys)], worker % 3, _ => instance.Cache.RemoveByTagAsync("*"));
                        break;
                    default:
                        long asked = Stopwatch.GetTimestamp();
                        TimeSpan pause = TimeSpan.FromMilliseconds(random.Next(8));
                        long value = await instance.Get(
                            name,
                            async token =>
                            {
                                long read = source.Read(key);
                                await Task.Delay(pause, token);
                                return read;
                            },
                            random.Next(10) == 0 ? new() { Expiration = TimeSpan.FromMilliseconds(50) } : null,
                            tags);
                        Interlocked.Increment(ref reads);

                        // Who joins a single flight gets what it began with, and a single flight lasts longer where the
                        // machine stands still in it.
                        long bound = source.Bound(key, worker % 3, asked, Interval + Slack + (2 * machine.LongestSince(asked - Stopwatch.Frequency)));
                        if (value < bound)
                        {
                            failures.Enqueue($"seed {seed}: instance {worker % 3} got version {value} of {name}, and {bound} was published before its bound");
                        }

                        break;
                }

                await Task.Delay(random.Next(6));
            }
        }))).WaitAsync(duration + Eventually.Limit);
        Assert.Empty(failures);
        Assert.True(reads > 1000, $"only {reads} reads");
        Assert.True(instances.Sum(static i => i.Statistics.LocalHits) > reads / 20, "the caches were of use");
    }

    /// <summary>What the application's database would be.</summary>
    private sealed class Source
    {
        private readonly long[] _versions = new long[Keys];
        private readonly SemaphoreSlim[] _writers = [.. Enumerable.Range(0, Keys).Select(static _ => new SemaphoreSlim(1))];
        private readonly List<(long Version, int By, long At)>[] _published = [.. Enumerable.Range(0, Keys).Select(static _ => new List<(long, int, long)>())];

        /// <summary>
        /// Changes the source, then tells the cache. Changes of one key come one after the other: of two at the same
        /// moment, one of them a set, the older could stay, which no cache can tell from the application's wish.
        /// </summary>
        public async Task ChangeAsync(int[] keys, int by, Func<long[], ValueTask> tell)
        {
            foreach (int key in keys)
            {
                await _writers[key].WaitAsync();
            }

            long[] versions = Array.ConvertAll(keys, key => Interlocked.Increment(ref _versions[key]));
            await tell(versions);
            for (int i = 0; i < keys.Length; i++)
            {
                lock (_published[keys[i]])
                {
                    _published[keys[i]].Add((versions[i], by, Stopwatch.GetTimestamp()));
                }

                _writers[keys[i]].Release();
            }
        }

        public long Read(int key) => Volatile.Read(ref _versions[key]);

        /// <summary>The newest version that this instance must have known of by then.</summary>
        public long Bound(int key, int instance, long asked, TimeSpan elsewhere)
        {
            lock (_published[key])
            {
                return _published[key]
                    .Where(p => p.At < asked && (p.By == instance || Stopwatch.GetElapsedTime(p.At, asked) > elsewhere))
                    .Select(static p => p.Version)
                    .DefaultIfEmpty()
                    .Max();
            }
        }
    }
}
