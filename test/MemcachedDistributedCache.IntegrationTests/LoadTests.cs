using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

public sealed class LoadTests(ThreeNodes nodes) : IClassFixture<ThreeNodes>
{
    private const int Callers = 64;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(5);

    public static TheoryData<int> Seed => [Random.Shared.Next()];

    [MemcachedTheory]
    [MemberData(nameof(Seed))]
    public async Task Sixty_four_callers_read_what_they_wrote(int seed)
    {
        await using MemcachedCache cache = nodes.Cache();
        long started = Stopwatch.GetTimestamp();
        int[] operations = await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            // Each caller owns its keys, so it knows exactly what they hold.
            var random = new Random(Seeds.Of(seed, caller));
            var versions = new int?[32];
            int count = 0;
            for (; Stopwatch.GetElapsedTime(started) < Duration; count++)
            {
                int slot = random.Next(versions.Length);
                int key = (caller * versions.Length) + slot;
                switch (random.Next(10))
                {
                    case < 3:
                        await cache.SetAsync(Name(key), KeyedValues.Create(key, count, Length(random)), Options(random));
                        versions[slot] = count;
                        break;
                    case 3:
                        await cache.RemoveAsync(Name(key));
                        versions[slot] = null;
                        break;
                    default:
                        byte[]? value = await cache.GetAsync(Name(key));
                        Assert.Equal(versions[slot], value is null ? null : KeyedValues.VersionOf(key, value));
                        break;
                }
            }

            return count;
        })));
        Assert.All(operations, count => Assert.True(count > 10));
        Assert.All(cache.GetNodes(), node => Assert.Equal(0, node.Errors));
    }

    private static string Name(int key) => "load " + key;

    private static int Length(Random random) => random.Next(20) switch
    {
        0 => random.Next(200_000),
        < 5 => random.Next(20_000),
        _ => random.Next(1000),
    };

    private static DistributedCacheEntryOptions Options(Random random) => random.Next(3) switch
    {
        0 => new DistributedCacheEntryOptions(),
        1 => new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) },
        _ => new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1), AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1) },
    };
}
