using System.Buffers;
using System.Globalization;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>
/// Ten thousand random steps, each checked against <see cref="EntryModel"/>, on servers whose clock goes with the client's. A failure
/// names its seed, its step and the last things done to the key.
/// </summary>
public sealed class DifferentialTests
{
    private const int Steps = 10_000;
    private static readonly DateTimeOffset Start = new(2030, 6, 15, 8, 30, 0, 250, TimeSpan.Zero);
    private static readonly TimeSpan DefaultTimeToLive = TimeSpan.FromSeconds(45);

    private static readonly int[] AllSeeds = [1, Random.Shared.Next()];

    /// <summary>All seeds at once, begun by the first test: each step waits for the servers to see their new time.</summary>
    private static readonly Lazy<Dictionary<int, Task>> RunsOnRealServers = new(
        () => AllSeeds.ToDictionary(static seed => seed, static seed => Task.Run(() => RunOnRealServersAsync(seed))));

    public static TheoryData<int> Seeds => [.. AllSeeds];

    [ServerClockTheory]
    [MemberData(nameof(Seeds))]
    public Task A_cache_on_real_memcached_does_what_the_model_says(int seed) => RunsOnRealServers.Value[seed];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_cache_on_embedded_nodes_does_too(int seed)
    {
        var clock = new ManualTimeProvider(Start);
        await using EmbeddedMemcached servers = await EmbeddedMemcached.StartAsync(3, new EmbeddedMemcachedOptions { TimeProvider = clock });
        await RunAsync([.. servers.Servers], static _ => Task.CompletedTask, clock, seed);
    }

    private static async Task RunOnRealServersAsync(int seed)
    {
        await using var serverClock = new ServerClock(Start);
        MemcachedProcess first = await serverClock.StartAsync();
        MemcachedProcess second = await serverClock.StartAsync();
        await RunAsync([first.Server, second.Server], serverClock.AdvanceAsync, new ManualTimeProvider(Start), seed);
    }

    private static async Task RunAsync(string[] servers, Func<TimeSpan, Task> advanceServers, ManualTimeProvider clock, int seed)
    {
        var random = new Random(seed);
        var model = new EntryModel();
        var history = new List<(string Key, string What)>();
        await using MemcachedCache cache = Caches.On(
            servers,
            options =>
            {
                options.IdleTimeout = Timeout.InfiniteTimeSpan;
                options.DefaultTimeToLive = DefaultTimeToLive;
            },
            clock,
            clock);

        // Before time begins to leap: a connection that is being opened then has been at it for hours, and is given up.
        await Eventually.True(() => cache.GetNodes().All(node => node.State == MemcachedNodeState.Up), "all nodes are up");
        for (int step = 0; step < Steps; step++)
        {
            string key = "key " + random.Next(12).ToString(CultureInfo.InvariantCulture);
            DateTimeOffset now = clock.GetUtcNow();
            switch (random.Next(10))
            {
                case < 2:
                    byte[] value = new byte[random.Next(200)];
                    random.NextBytes(value);
                    DistributedCacheEntryOptions options = RandomOptions(random, now);
                    await SetAsync(cache, key, value, options, random);
                    model.Set(key, value, options, DefaultTimeToLive, now);
                    history.Add((key, $"{step} {now:O} set: relative {options.AbsoluteExpirationRelativeToNow}, absolute {options.AbsoluteExpiration:O}, sliding {options.SlidingExpiration}"));
                    break;
                case < 6:
                    byte[]? seen = await GetAsync(cache, key, random);
                    await cache.QuietAsync();
                    history.Add((key, $"{step} {now:O} get: {(seen is null ? "nothing" : seen.Length + " bytes")}"));
                    if (model.Read(key, seen, now) is { } wrong)
                    {
                        string last = string.Join('\n', history.Where(h => h.Key == key).TakeLast(12).Select(h => h.What));
                        Assert.Fail($"seed {seed}, step {step}: '{key}' gave {wrong}.\n{last}");
                    }

                    break;
                case 6:
                    await (random.Next(2) == 0 ? cache.RefreshAsync(key) : Task.Run(() => cache.Refresh(key)));
                    model.Refresh(key, now);
                    history.Add((key, $"{step} {now:O} refresh"));
                    break;
                case 7 when random.Next(3) == 0:
                    await (random.Next(2) == 0 ? cache.RemoveAsync(key) : Task.Run(() => cache.Remove(key)));
                    model.Remove(key);
                    history.Add((key, $"{step} {now:O} remove"));
                    break;
                default:
                    TimeSpan by = RandomStep(random);
                    await advanceServers(by);
                    clock.Jump(by);
                    break;
            }
        }
    }

    private static async Task SetAsync(MemcachedCache cache, string key, byte[] value, DistributedCacheEntryOptions options, Random random)
    {
        switch (random.Next(4))
        {
            case 0:
                await cache.SetAsync(key, value, options);
                break;
            case 1:
                await cache.SetAsync(key, RoundTripTests.InPieces(value, 3), options);
                break;
            case 2:
                cache.Set(key, value, options);
                break;
            default:
                cache.Set(key, RoundTripTests.InPieces(value, 2), options);
                break;
        }
    }

    private static async Task<byte[]?> GetAsync(MemcachedCache cache, string key, Random random)
    {
        var writer = new ArrayBufferWriter<byte>();
        return random.Next(4) switch
        {
            0 => await cache.GetAsync(key),
            1 => cache.Get(key),
            2 => await cache.TryGetAsync(key, writer) ? writer.WrittenSpan.ToArray() : null,
            _ => cache.TryGet(key, writer) ? writer.WrittenSpan.ToArray() : null,
        };
    }

    private static DistributedCacheEntryOptions RandomOptions(Random random, DateTimeOffset now)
    {
        var options = new DistributedCacheEntryOptions();
        switch (random.Next(6))
        {
            case 0:
                break;
            case 1:
                options.AbsoluteExpirationRelativeToNow = RandomSpan(random);
                break;
            case 2:
                options.AbsoluteExpiration = now + RandomSpan(random) - TimeSpan.FromMilliseconds(random.Next(2000));
                break;
            case 3:
                options.SlidingExpiration = RandomSpan(random);
                break;
            case 4:
                options.SlidingExpiration = RandomSpan(random);
                options.AbsoluteExpirationRelativeToNow = RandomSpan(random);
                break;
            default:
                options.SlidingExpiration = TimeSpan.FromSeconds(random.Next(1, 20));
                options.AbsoluteExpiration = now + TimeSpan.FromSeconds(random.Next(1, 200));
                break;
        }

        return options;
    }

    private static TimeSpan RandomSpan(Random random) => random.Next(8) switch
    {
        0 => TimeSpan.FromMilliseconds(random.Next(1, 1000)),
        < 5 => TimeSpan.FromMilliseconds(random.Next(1, 30_000)),
        5 => TimeSpan.FromMinutes(random.Next(1, 100)),
        6 => TimeSpan.FromDays(random.Next(28, 33)),
        _ => TimeSpan.FromDays(random.Next(1, 3000)),
    };

    private static TimeSpan RandomStep(Random random) => random.Next(100) switch
    {
        < 60 => TimeSpan.FromMilliseconds(random.Next(1500)),
        < 92 => TimeSpan.FromMilliseconds(random.Next(1000, 30_000)),
        < 99 => TimeSpan.FromSeconds(random.Next(60, 7200)),
        _ => TimeSpan.FromDays(random.Next(1, 40)),
    };
}
