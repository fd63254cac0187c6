using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using System.Text;
using MemcachedDistributedCache.Load;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.Memory;

namespace MemcachedDistributedCache.Micro;

/// <summary>
/// What the hybrid cache costs, beside what it stands on: rounds of both by turns on one machine at one time, and the
/// median of their ratios.
/// </summary>
internal static class HybridCosts
{
    private const int Rounds = 15;

    public static async Task RunAsync()
    {
        await using LocalServers servers = await LocalServers.StartAsync(Load.Transport.Tcp, 1, TimeSpan.FromMinutes(10), CancellationToken.None);
        string server = servers.Way.Nodes[0];
        await using var below = new MemcachedCache(new MemcachedCacheOptions
        {
            Servers = [server],
            Hybrid = { LocalCacheRevalidation = TimeSpan.FromHours(1), TagRefreshInterval = TimeSpan.FromHours(1) },
        });
        using var hybrid = new MemcachedHybridCache(below);
        var product = new BenchProduct(1, "Espresso cup", 9.5m, new string('d', 900));
        await hybrid.SetAsync("product", product, tags: ["products"]);
        await below.SetAsync("product", JsonSerializer.SerializeToUtf8Bytes(product), new());

        await LocalAsync(hybrid);
        await RemoteAsync(below, hybrid, callers: 1, calls: 4000);
        await RemoteAsync(below, hybrid, callers: 64, calls: 40_000);
        await StampedeAsync(below, server);
        await RevalidationAsync(server);
    }

    private static async Task LocalAsync(MemcachedHybridCache hybrid)
    {
        using var memory = new MemoryCache(new MemoryCacheOptions { SizeLimit = 1_000_000 });
        BenchProduct product = await hybrid.GetOrCreateAsync("product", static _ => new ValueTask<BenchProduct>((BenchProduct)null!));
        memory.Set("product", product, new MemoryCacheEntryOptions { Size = 1000, AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1) });
        string[] tags = ["products"];
        const int Calls = 1_000_000;
        (double bare, double ours, double ratio) = await CompareAsync(
            () =>
            {
                for (int i = 0; i < Calls; i++)
                {
                    _ = memory.TryGetValue("product", out BenchProduct? _);
                }

                return Task.CompletedTask;
            },
            () =>
            {
                for (int i = 0; i < Calls; i++)
                {
                    ValueTask<BenchProduct> hit = hybrid.GetOrCreateAsync(
                        "product",
                        0,
                        static (_, _) => new ValueTask<BenchProduct>((BenchProduct)null!),
                        tags: tags);
                    if (!hit.IsCompletedSuccessfully || hit.Result is null)
                    {
                        throw new InvalidOperationException("It is not there.");
                    }
                }

                return Task.CompletedTask;
            });
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            _ = await hybrid.GetOrCreateAsync("product", 0, static (_, _) => new ValueTask<BenchProduct>((BenchProduct)null!), tags: tags);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Say($"L1 hit, immutable type, one tag: {ours / Calls * 1e9:0} ns, MemoryCache {bare / Calls * 1e9:0} ns, ratio {ratio:0.00}, {allocated / 1000.0:0.0} B/op");
    }

    private static async Task RemoteAsync(MemcachedCache below, MemcachedHybridCache hybrid, int callers, int calls)
    {
        var past = new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableLocalCache };
        int each = calls / callers;
        (double bare, double ours, double ratio) = await CompareAsync(
            () => ForAllAsync(callers, async () =>
            {
                for (int i = 0; i < each; i++)
                {
                    _ = JsonSerializer.Deserialize<BenchProduct>(await below.GetAsync("product"));
                }
            }),
            () => ForAllAsync(callers, async () =>
            {
                for (int i = 0; i < each; i++)
                {
                    _ = await hybrid.GetOrCreateAsync("product", static _ => new ValueTask<BenchProduct>((BenchProduct)null!), past);
                }
            }));
        Say($"L2 hit, 1 KB of JSON, {callers} callers: {ours / calls * 1e6:0.0} us a call, GetAsync and deserialization {bare / calls * 1e6:0.0} us, ratio {ratio:0.00}");

        // Each caller on a key of its own, so that no two share a single flight.
        for (int i = 0; i < callers; i++)
        {
            await hybrid.SetAsync(
                "own" + i,
                await hybrid.GetOrCreateAsync("product", static _ => new ValueTask<BenchProduct>((BenchProduct)null!), past),
                tags: ["products"]);
            await below.SetAsync("own" + i, (await below.GetAsync("product"))!, new());
        }

        (bare, ours, ratio) = await CompareAsync(
            () => ForAllAsync(callers, async caller =>
            {
                string key = "own" + caller;
                for (int i = 0; i < each; i++)
                {
                    _ = JsonSerializer.Deserialize<BenchProduct>(await below.GetAsync(key));
                }
            }),
            () => ForAllAsync(callers, async caller =>
            {
                string key = "own" + caller;
                for (int i = 0; i < each; i++)
                {
                    _ = await hybrid.GetOrCreateAsync(key, static _ => new ValueTask<BenchProduct>((BenchProduct)null!), past);
                }
            }));
        Say($"L2 hit, the same, a key for each caller: {ours / calls * 1e6:0.0} us a call, GetAsync and deserialization {bare / calls * 1e6:0.0} us, ratio {ratio:0.00}");
    }

    private static async Task StampedeAsync(MemcachedCache below, string server)
    {
        using var hybrid = new MemcachedHybridCache(below);
        const int Keys = 300;
        await hybrid.SetAsync("warm", 1);
        (long before, long start) = (await CommandsAsync(server), Stopwatch.GetTimestamp());
        for (int i = 0; i < Keys; i++)
        {
            string key = "cold" + i;
            await ForAllAsync(64, async () => _ = await hybrid.GetOrCreateAsync(key, static _ => new ValueTask<int>(1)));
        }

        double micros = Stopwatch.GetElapsedTime(start).TotalMicroseconds / Keys;
        double commands = (await CommandsAsync(server) - before) / (double)Keys;
        MemcachedHybridStatistics statistics = hybrid.GetStatistics();
        Say($"64 callers on a cold key: {micros:0} us for all of them, {commands:0.00} requests (a read that takes the lease, a store), {statistics.FactoryRuns / (double)Keys:0.00} factory runs");
    }

    private static async Task RevalidationAsync(string server)
    {
        await using var below = new MemcachedCache(new MemcachedCacheOptions
        {
            Servers = [server],
            Hybrid = { LocalCacheRevalidation = TimeSpan.Zero, TagRefreshInterval = TimeSpan.FromHours(1) },
        });
        using var hybrid = new MemcachedHybridCache(below);
        await hybrid.SetAsync("revalidated", new byte[100_000]);
        await hybrid.GetOrCreateAsync("revalidated", static _ => new ValueTask<byte[]>([]));
        const int Calls = 1000;
        (long read, long written) = await BytesAsync(server);
        (long readOnce, long writtenOnce) = await BytesAsync(server);
        for (int i = 0; i < Calls; i++)
        {
            await hybrid.GetOrCreateAsync("revalidated", static _ => new ValueTask<byte[]>([]));
        }

        (long readAfter, long writtenAfter) = await BytesAsync(server);
        double up = (readAfter - readOnce - (readOnce - read)) / (double)Calls;
        double down = (writtenAfter - writtenOnce - (writtenOnce - written)) / (double)Calls;
        Say($"A revalidation of a value of 100 000 B: {up:0} B to the server, {down:0} B from it ({hybrid.GetStatistics().Revalidations} revalidations in {Calls + 1} calls)");
    }

    /// <summary>Both by turns, after a round to warm up; seconds of the median round, and the median of the ratios.</summary>
    private static async Task<(double Bare, double Ours, double Ratio)> CompareAsync(Func<Task> bare, Func<Task> ours)
    {
        var times = new List<(double Bare, double Ours)>();
        for (int round = 0; round <= Rounds; round++)
        {
            (double Bare, double Ours) pair = (await TimeAsync(bare), await TimeAsync(ours));
            if (round > 0)
            {
                times.Add(pair);
            }
        }

        return (Median(times.Select(static t => t.Bare)), Median(times.Select(static t => t.Ours)), Median(times.Select(static t => t.Ours / t.Bare)));
    }

    private static async Task<double> TimeAsync(Func<Task> work)
    {
        long start = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Rounds / 2);

    private static Task ForAllAsync(int callers, Func<Task> work) => ForAllAsync(callers, _ => work());

    private static Task ForAllAsync(int callers, Func<int, Task> work)
        => Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(() => work(caller))));

    private static async Task<long> CommandsAsync(string server)
    {
        Dictionary<string, long> stats = await StatsAsync(server);
        return stats["cmd_get"] + stats["cmd_set"];
    }

    private static async Task<(long Read, long Written)> BytesAsync(string server)
    {
        Dictionary<string, long> stats = await StatsAsync(server);
        return (stats["bytes_read"], stats["bytes_written"]);
    }

    private static async Task<Dictionary<string, long>> StatsAsync(string server)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(System.Net.IPEndPoint.Parse(server));
        await client.GetStream().WriteAsync("stats\r\nquit\r\n"u8.ToArray());
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        return (await reader.ReadToEndAsync())
            .Split("\r\n")
            .Select(static line => line.Split(' '))
            .Where(static parts => parts.Length == 3 && long.TryParse(parts[2], out _))
            .ToDictionary(
                static parts => parts[1],
                static parts => long.Parse(parts[2], CultureInfo.InvariantCulture),
                StringComparer.Ordinal);
    }

    private static void Say(FormattableString line) => Console.WriteLine(FormattableString.Invariant(line));
}

/// <summary>About a kilobyte as JSON.</summary>
[ImmutableObject(true)]
internal sealed record BenchProduct(long Id, string Name, decimal Price, string Description);
