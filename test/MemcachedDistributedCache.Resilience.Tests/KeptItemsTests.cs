using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// A server that is started with <c>-e</c> comes back with its items and its CAS counter, and without the changes that
/// it missed.
/// </summary>
public sealed class KeptItemsTests : IAsyncLifetime
{
    private static readonly DistributedCacheEntryOptions Default = new();

    private readonly string _memory = Path.Combine(Path.GetTempPath(), $"memcached-{Guid.NewGuid():N}");
    private MemcachedProcess? _server;

    public async Task InitializeAsync()
    {
        if (MemcachedBinary.SkipReason is null)
        {
            _server = await MemcachedProcess.StartAsync("-e", _memory, "-m", "64");
        }
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        File.Delete(_memory);
        File.Delete(_memory + ".meta");
    }

    /// <summary>
    /// The smaller number remembered is too small for what is changed, so that all of the server's items are judged by
    /// the CAS fence.
    /// </summary>
    [MemcachedTheory]
    [InlineData(1000)]
    [InlineData(1)]
    public async Task A_server_that_kept_its_items_gives_out_nothing_that_was_changed_meanwhile(int remembered)
    {
        await using var cache = new MemcachedCache(new MemcachedCacheOptions
        {
            Servers = [_server!.Server],
            Failover = MemcachedFailover.None,
            MaximumUncertainKeys = remembered,
        });
        await cache.ReadableAsync();
        for (int i = 0; i < 10; i++)
        {
            await cache.SetAsync($"key:{i}", [1], Default);
        }

        await _server!.StopKeepingItemsAsync();
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the server is seen to be down");
        await cache.RemoveAsync("key:0");
        await cache.SetAsync("key:1", [2], Default);
        await cache.RemoveAsync("key:2");

        await UntilItTakesItsItemsAsync(_memory);
        await _server.StartAgainAsync();
        IReadOnlyDictionary<string, string> items = await _server.StatsAsync("items");
        Assert.True(
            items.Where(static stat => stat.Key.EndsWith(":number", StringComparison.Ordinal)).Sum(static stat => int.Parse(stat.Value))
                > 3,
            "the server has kept its items");
        await Eventually.True(
            () =>
            {
                Assert.Null(cache.Get("key:0"));
                Assert.Null(cache.Get("key:1"));
                Assert.Null(cache.Get("key:2"));
                return cache.GetNodes()[0] is { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false };
            },
            "what was missed has been made up for");
        Assert.Null(await cache.GetAsync("key:0"));
        Assert.Equal(remembered == 1 ? null : [1], await cache.GetAsync("key:5"));
        await cache.SetAsync("key:1", [3], Default);
        Assert.Equal(new byte[] { 3 }, await cache.GetAsync("key:1"));
    }

    /// <summary>
    /// A server's clock runs ahead by up to two seconds while it is young, and it takes no items that seem to be
    /// written in the future.
    /// </summary>
    internal static async Task UntilItTakesItsItemsAsync(string memory)
    {
        string line = (await File.ReadAllLinesAsync(memory + ".meta")).Single(static line => line.StartsWith("Kstop_time ", StringComparison.Ordinal));
        long stoppedAt = long.Parse(line["Kstop_time ".Length..]);
        await Eventually.True(() => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() > stoppedAt, "the time at which the server stopped is over");
    }
}
