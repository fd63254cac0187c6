using System.Buffers;
using System.Globalization;
using System.Text.Unicode;
using System.Text;
using MemcachedDistributedCache.AspNetCore.OutputCaching;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace MemcachedDistributedCache.AspNetCore.Tests.StoredFormats;

/// <summary>
/// All that lies in memcached, spoiled field by field, read by all that reads it: nothing is thrown, not one byte is
/// sent that was not meant, and memory stays bounded. A short run by default; MEMCACHED_FUZZ_ITEMS says how many items.
/// </summary>
public sealed class StoredFormatFuzzTests(ITestOutputHelper output)
{
    private const string Space = "fz";
    private const int Names = 20;
    private const int Workers = 48;
    private static readonly HybridCacheEntryOptions FromCluster = new() { Flags = HybridCacheEntryFlags.DisableLocalCacheRead };
    private static readonly DistributedCacheEntryOptions Sliding = new()
    {
        SlidingExpiration = TimeSpan.FromSeconds(10),
        AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1),
    };
    private static readonly long Items = long.Parse(
        Environment.GetEnvironmentVariable("MEMCACHED_FUZZ_ITEMS") ?? "20000",
        CultureInfo.InvariantCulture);

    [Fact]
    public async Task Whatever_lies_in_memcached_nothing_is_thrown_and_nothing_is_sent_that_was_not_meant()
    {
        int seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        await using var server = new StrangeServer(seed, KindOf);
        await using MemcachedCache cache = Caches.On([server.Address], static options =>
        {
            options.Namespace = Space;
            options.OperationTimeout = TimeSpan.FromSeconds(30);
            options.Hybrid.TagRefreshInterval = TimeSpan.Zero;
            options.Hybrid.MaximumLeaseWait = TimeSpan.Zero;
            options.Hybrid.MaximumLocalBytes = 1_000_000;
            options.Hybrid.MaximumLocalEntries = 1000;
        });
        await using MemcachedCache keeping = Caches.On([server.Address], static options =>
        {
            options.Namespace = Space;
            options.OperationTimeout = TimeSpan.FromSeconds(30);
            options.Hybrid.MaximumLeaseWait = TimeSpan.Zero;
            options.Hybrid.MaxStale = TimeSpan.FromDays(365);
            options.Hybrid.StaleWindow = TimeSpan.FromDays(365);
            options.Hybrid.MaximumLocalBytes = 1_000_000;
            options.Hybrid.MaximumLocalEntries = 1000;
        });
        using var one = new MemcachedHybridCache(cache);
        using var other = new MemcachedHybridCache(keeping);
        var pages = new MemcachedOutputCacheStore(
            cache,
            new MemcachedOutputCacheOptions(),
            new MemcachedOutputCacheStatistics(),
            new HttpContextAccessor(),
            TimeProvider.System,
            NullLogger<MemcachedOutputCacheStore>.Instance);
        long before = 0;
        long operations = 0;
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
        {
            var random = new Random(seed + worker);
            while (server.Spoiled < Items && server.Violations.IsEmpty)
            {
                await StepAsync(random, random.Next(2) == 0 ? one : other, cache, pages);
                if (Interlocked.Increment(ref operations) == Items / 10)
                {
                    before = GC.GetTotalMemory(forceFullCollection: true);
                }
            }
        })));
        long grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        output.WriteLine(
            $"{server.Spoiled} spoiled items, {operations} operations, {server.Bytes} bytes looked at, {grown} bytes of memory more than after a tenth");
        Assert.Empty(server.Violations);
        foreach (MemcachedHybridCache hybrid in (MemcachedHybridCache[])[one, other])
        {
            MemcachedHybridStatistics did = hybrid.GetStatistics();
            output.WriteLine($"hits {did.DistributedHits}, misses {did.DistributedMisses}, unreadable {did.DeserializationFailures}, tags read {did.TagReads}, factories {did.FactoryRuns}, served past their time {did.StaleServed}");
            Assert.True(did.DistributedHits > 0 && did.DeserializationFailures > 0);
        }

        MemcachedNodeStatus node = Assert.Single(cache.GetNodes());
        output.WriteLine($"hits {node.Hits}, misses {node.Misses}, errors {node.Errors}, too late {node.Timeouts}");
        Assert.Equal(0, node.Errors);
        Assert.True(grown < 200_000_000, $"{grown} bytes");
        Assert.Equal(MemcachedNodeState.Up, node.State);
    }

    private static async Task StepAsync(Random random, MemcachedHybridCache hybrid, MemcachedCache cache, MemcachedOutputCacheStore pages)
    {
        string name = random.Next(Names).ToString(CultureInfo.InvariantCulture);
        string[]? tags = random.Next(2) == 0 ? null : ["t" + random.Next(4), "t" + random.Next(4)];
        switch (random.Next(16))
        {
            case 0 or 1 or 2:
                await hybrid.GetOrCreateAsync("h" + name, static _ => new ValueTask<string>("made"), FromCluster, tags);
                break;
            case 3:
                await hybrid.GetOrCreateAsync("h" + name, static _ => new ValueTask<int>(5), FromCluster, tags);
                break;
            case 4:
                await hybrid.GetOrCreateAsync("h" + name, static _ => new ValueTask<Thing?>(new Thing { Number = 5 }), null, tags);
                break;
            case 5:
                await hybrid.GetOrCreateAsync("h" + name, static _ => new ValueTask<byte[]>([1, 2, 3]), FromCluster, tags);
                break;
            case 6:
                await hybrid.GetOrCreateManyAsync(
                    [.. Enumerable.Range(0, 5).Select(_ => "h" + random.Next(Names))],
                    static (keys, _) => new ValueTask<IReadOnlyDictionary<string, string>>(keys.ToDictionary(static key => key, static _ => "made")),
                    FromCluster,
                    tags);
                break;
            case 7:
                await hybrid.SetAsync("h" + name, "set", tags: tags);
                break;
            case 8 when random.Next(10) == 0:
                await hybrid.RemoveByTagAsync(random.Next(4) == 0 ? "*" : "t" + random.Next(4));
                break;
            case 9:
                await cache.GetAsync("k" + name);
                break;
            case 10:
                await cache.TryGetAsync("k" + name, new ArrayBufferWriter<byte>());
                break;
            case 11:
                await cache.RefreshAsync("k" + name);
                break;
            case 12 when random.Next(4) == 0:
                await cache.SetAsync("k" + name, [1, 2, 3], Sliding);
                break;
            case 13:
                await pages.SetAsync(Page(random.Next(Names)), new byte[random.Next(300)], tags, TimeSpan.FromMinutes(1), CancellationToken.None);
                break;
            case 14 when random.Next(10) == 0:
                await pages.EvictByTagAsync("t" + random.Next(4), CancellationToken.None);
                break;
            default:
                await pages.GetAsync(Page(random.Next(Names)), CancellationToken.None);
                break;
        }
    }

    /// <summary>What a key is for, by the heads of KeyEncoder.cs and HybridKeys.cs alone.</summary>
    private KeyKind KindOf(string key)
    {
        if (!key.StartsWith(Space + "|", StringComparison.Ordinal) || key.Length > 250)
        {
            return KeyKind.None;
        }

        string rest = key[(Space.Length + 1)..];
        string tail = rest.Length < 3 ? "" : rest[2..];
        return rest switch
        {
            ['k', .. string number] => IsName(number) ? KeyKind.Plain : KeyKind.None,
            ['#', '=', 'h', .. string number] => IsName(number) ? KeyKind.HybridEntry : KeyKind.None,
            ['#', '!', 'h', .. string number] => IsName(number) ? KeyKind.Lease : KeyKind.None,
            ['#', '@', ..] => IsText(tail) ? KeyKind.Tag : KeyKind.None,
            ['#', '%', ..] => IsHash(tail) ? KeyKind.Tag : KeyKind.None,
            ['#', '^', ..] => IsHash(tail) ? KeyKind.OutputCache : KeyKind.None,
            "#?" => KeyKind.Probe,
            _ => KeyKind.None,
        };
    }

    private static bool IsName(string number)
        => int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            && index < Names
            && number == index.ToString(CultureInfo.InvariantCulture);

    private static bool IsText(string text) => text.Length > 0 && text.All(static c => c > ' ' && c != '\x7f') && Utf8.IsValid(Encoding.Latin1.GetBytes(text));

    private static bool IsHash(string text) => text.Length == 42 && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    private static string Page(int index) => $"GET\x1eHTTP\x1eHOST/{index}";

    private sealed class Thing
    {
        public int Number { get; set; }

        public string Text { get; set; } = "";
    }
}
