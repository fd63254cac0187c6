using System.Globalization;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// A memcached below 1.6.24 gives old items the numbers of new ones when it moves the page that they lie on. What was
/// told from what is new by its number is not read for longer than it takes to notice.
/// </summary>
public sealed class MovedPageTests
{
    private const int Fillers = 3000;
    private const int Length = 1000;

    private static readonly DistributedCacheEntryOptions Default = new();
    private static readonly byte[] Old = new byte[Length];

    /// <summary>A look a second, and the time to act on it; the rest is a busy machine's.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(3);

    [MemcachedFact]
    public async Task What_a_uncertain_server_held_stays_unread_when_it_is_moved()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        var logger = new RecordingLogger();
        await using var cache = new MemcachedCache(Options(static options => options.MaximumUncertainKeys = 0, proxy.Server), logger);
        await cache.SetAsync("old", Old, Default);
        await FillAsync(server);
        await proxy.ApplyAsync(Fault.Refuse);
        proxy.DropConnections(reset: true);
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        await cache.RemoveAsync("old");
        await proxy.ApplyAsync(Fault.None);
        await cache.ReadableAsync();
        await logger.SeesAsync("is read again", 1);
        Assert.Null(await cache.GetAsync("old"));

        await MovePageAsync(server, "moved|old", newest: await StoreAsync(server, "newest"));
        await NoticedAsync(logger);
        Assert.Null(await cache.GetAsync("old"));
        await cache.ReadableAsync();
        await logger.SeesAsync("is read again", 2);
        Assert.Null(await cache.GetAsync("old"));
        Assert.Null(cache.Get("old"));
        Assert.StartsWith("HD", await server.CommandAsync("mg moved|old"), StringComparison.Ordinal); // it is still there
        await cache.SetAsync("old", [2], Default);
        Assert.Equal(new byte[] { 2 }, await cache.GetAsync("old"));
    }

    [MemcachedFact]
    public async Task What_a_stand_in_held_stays_unread_when_it_is_moved()
    {
        await using MemcachedProcess owner = await MemcachedProcess.StartAsync();
        await using MemcachedProcess gutterNode = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(owner.EndPoint);
        var logger = new RecordingLogger();
        await using var cache = new MemcachedCache(Options(static _ => { }, proxy.Server, gutterNode.Server), logger);
        string key = Name((await NodeKeys.FindAsync(cache, Name, 1))[0][0]);
        string wireKey = "moved|" + key;
        await StoreAsync(gutterNode, wireKey);
        await FillAsync(gutterNode);
        await proxy.ApplyAsync(Fault.Refuse);
        proxy.DropConnections(reset: true);
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        await Eventually.True(
            () =>
            {
                Assert.Null(cache.GetAsync(key).GetAwaiter().GetResult());
                cache.SetAsync("new", [1], Default).GetAwaiter().GetResult();
                return cache.GetAsync("new").GetAwaiter().GetResult() is not null;
            },
            "the other stands in");

        await MovePageAsync(gutterNode, wireKey, newest: await StoreAsync(gutterNode, "newest"));
        await NoticedAsync(logger);
        for (int i = 0; i < 50; i++)
        {
            Assert.Null(await cache.GetAsync(key));
            await Task.Delay(10);
        }

        Assert.StartsWith("HD", await gutterNode.CommandAsync($"mg {wireKey}"), StringComparison.Ordinal);
        await cache.SetAsync(key, [2], Default);
        Assert.Equal(new byte[] { 2 }, await cache.GetAsync(key));
    }

    private static string Name(int key) => "old" + key.ToString(CultureInfo.InvariantCulture);

    private static MemcachedCacheOptions Options(Action<MemcachedCacheOptions> configure, params string[] servers)
    {
        var options = new MemcachedCacheOptions
        {
            Servers = servers,
            Namespace = "moved",
            ReconnectDelay = TimeSpan.FromMilliseconds(10),
            MaximumReconnectDelay = TimeSpan.FromMilliseconds(100),
        };
        configure(options);
        return options;
    }

    /// <summary>Fills some pages of the class of the old item, and makes room for what is on the first.</summary>
    private static async Task FillAsync(MemcachedProcess server)
    {
        var commands = new System.Text.StringBuilder();
        for (int i = 0; i < Fillers; i++)
        {
            commands.Append(CultureInfo.InvariantCulture, $"ms fill{i:0000} {Length} T1000 q\r\n{new string('f', Length)}\r\n");
        }

        for (int i = Fillers / 2; i < Fillers; i++)
        {
            commands.Append(CultureInfo.InvariantCulture, $"md fill{i:0000} q\r\n");
        }

        await server.CommandAsync(commands.Append("mn").ToString(), "MN\r\n");
    }

    private static async Task<long> StoreAsync(MemcachedProcess server, string wireKey)
    {
        string reply = await server.CommandAsync($"ms {wireKey} {Length} T1000 c\r\n{new string('o', Length)}");
        return long.Parse(reply.Split(' ', '\r').Single(static word => word.StartsWith('c'))[1..], CultureInfo.InvariantCulture);
    }

    /// <summary>Moves the page of an item, so that it has a number higher than the newest had before.</summary>
    private static async Task MovePageAsync(MemcachedProcess server, string wireKey, long newest)
    {
        string slabClass = (await server.StatsAsync("slabs"))
            .Single(static entry =>
                entry.Key.EndsWith(":total_pages", StringComparison.Ordinal) && int.Parse(entry.Value, CultureInfo.InvariantCulture) > 1)
            .Key.Split(':')[0];
        Assert.StartsWith("OK", await server.CommandAsync($"slabs reassign {slabClass} 0"), StringComparison.Ordinal);
        await Eventually.True(async () => (await server.StatsAsync())["slabs_moved"] != "0", "a page has moved");
        string reply = await server.CommandAsync($"mg {wireKey} c");
        long moved = long.Parse(reply.Split(' ', '\r').Single(static word => word.StartsWith('c'))[1..], CultureInfo.InvariantCulture);
        Assert.True(moved > newest, $"the item has number {moved}, and the newest had {newest}: this server leaves items their numbers");
    }

    private static async Task NoticedAsync(RecordingLogger logger)
    {
        long started = TimeProvider.System.GetTimestamp();
        await Eventually.True(() => logger.Count("has given items new numbers") == 1, "it is noticed");
        Assert.True(TimeProvider.System.GetElapsedTime(started) < Bound, $"noticed after {TimeProvider.System.GetElapsedTime(started)}");
    }
}
