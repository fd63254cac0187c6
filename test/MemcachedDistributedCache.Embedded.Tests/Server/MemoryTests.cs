using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Embedded.Tests.Server;

public sealed class MemoryTests
{
    private const int ItemBytes = 48 + 8 + 4 + 1000 + 2;

    [Fact]
    public async Task A_full_server_evicts_the_least_recently_used()
    {
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: Small(fits: 10));
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        await StoreAsync(client, 0, 10);
        await client.AskAsync("get k00\r\nmg k01\r\ntouch k02 0\r\nmg k03 u\r\n");
        await StoreAsync(client, 10, 13);
        Assert.Equal("HD\r\nHD\r\nHD\r\n", await client.AskAsync("mg k00\r\nmg k01\r\nmg k02\r\n"));
        Assert.Equal("EN\r\nEN\r\nEN\r\nHD\r\n", await client.AskAsync("mg k03\r\nmg k04\r\nmg k05\r\nmg k06\r\n"));
        string stats = await client.AskAsync("stats\r\n");
        Assert.Contains("STAT evictions 3\r\n", stats, StringComparison.Ordinal);
        Assert.Contains("STAT curr_items 10\r\n", stats, StringComparison.Ordinal);
        Assert.Contains($"STAT bytes {10 * ItemBytes}\r\n", stats, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_eviction_a_full_server_refuses()
    {
        EmbeddedMemcachedOptions options = Small(fits: 4);
        options.DisableEvictions = true;
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: options);
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        await StoreAsync(client, 0, 4);
        string value = new('x', 1000);
        Assert.Equal("SERVER_ERROR out of memory storing object\r\n", await client.AskAsync($"set new 0 0 1000\r\n{value}\r\n"));
        Assert.Equal("SERVER_ERROR out of memory storing object\r\n", await client.AskAsync($"ms new 1000 q\r\n{value}\r\n"));
        Assert.Equal("NOT_STORED\r\n", await client.AskAsync($"append k00 0 0 1\r\nx\r\n"));
        Assert.Equal("EN\r\n", await client.AskAsync("mg new\r\n"));
        Assert.Equal("HD s1000\r\n", await client.AskAsync("mg k03 s\r\n"));

        // What cannot be replaced must not be read as current either.
        Assert.Equal("SERVER_ERROR out of memory storing object\r\n", await client.AskAsync($"set k03 0 0 1000\r\n{value}\r\n"));
        Assert.Equal("EN\r\n", await client.AskAsync("mg k03\r\n"));
        Assert.Contains("STAT store_no_memory 3\r\n", await client.AskAsync("stats\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_expired_item_that_makes_room_was_not_evicted()
    {
        var clock = new ManualTimeProvider();
        EmbeddedMemcachedOptions options = Small(fits: 2);
        options.TimeProvider = clock;
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: options);
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        string value = new('x', 1000);
        await client.AskAsync($"set k00 0 5 1000\r\n{value}\r\n");
        clock.Advance(TimeSpan.FromSeconds(5));
        await StoreAsync(client, 1, 3);
        string stats = await client.AskAsync("stats\r\n");
        Assert.Contains("STAT evictions 0\r\n", stats, StringComparison.Ordinal);
        Assert.Contains("STAT reclaimed 1\r\n", stats, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_item_limit_is_configurable()
    {
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: new EmbeddedMemcachedOptions { MaximumItemBytes = 2048 });
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        int most = 2048 - 48 - 8 - 2 - 2;
        Assert.Equal("STORED\r\n", await client.AskAsync($"set k 0 0 {most}\r\n{new string('x', most)}\r\n"));
        Assert.Equal("SERVER_ERROR object too large for cache\r\n", await client.AskAsync($"set k 0 0 {most + 1}\r\n{new string('x', most + 1)}\r\n"));
        Assert.Contains("STAT item_size_max 2048\r\n", await client.AskAsync("stats settings\r\n"), StringComparison.Ordinal);
    }

    [MemcachedFact]
    public async Task Statistics_have_the_names_and_counts_of_the_real_server()
    {
        const string Work = "set a 0 0 1\r\nx\r\nget a b\r\ngat 0 a b\r\nmg a\r\nmg a T0\r\nmg b\r\nincr a 1\r\nset n 0 0 1\r\n5\r\nincr n 1\r\nincr m 1\r\ndecr n 1\r\ndecr m 1\r\n"
            + "cas a 0 0 1 1\r\nx\r\ncas a 0 0 1 1\r\nx\r\ncas m 0 0 1 1\r\nx\r\ntouch a 0\r\ntouch m 0\r\nset e 0 -1 1\r\nx\r\nget e\r\ndelete n\r\ndelete n\r\nmd n\r\nme a\r\n"
            + "set big 0 0 2000000\r\n";
        string[] compared =
        [
            "cmd_get", "cmd_set", "cmd_flush", "cmd_touch", "cmd_meta", "get_hits", "get_misses", "get_expired", "get_flushed", "delete_misses", "delete_hits", "incr_misses", "incr_hits",
            "decr_misses", "decr_hits", "cas_misses", "cas_hits", "cas_badval", "touch_hits", "touch_misses", "store_too_large", "store_no_memory", "limit_maxbytes", "bytes", "curr_items", "total_items",
            "evictions", "max_connections",
        ];
        await using MemcachedProcess real = await MemcachedProcess.StartAsync();
        await using EmbeddedMemcached embedded = await EmbeddedMemcached.StartAsync();
        string work = Work + new string('x', 2_000_000) + "\r\n";
        IReadOnlyDictionary<string, string> theirs = await CountAsync(real.EndPoint, work, "stats\r\n");
        IReadOnlyDictionary<string, string> ours = await CountAsync(embedded.Nodes[0].EndPoint, work, "stats\r\n");
        Assert.Equal(compared.Select(name => $"{name} {theirs[name]}"), compared.Select(name => $"{name} {ours.GetValueOrDefault(name)}"));
        Assert.Empty(ours.Keys.Except(theirs.Keys));

        IReadOnlyDictionary<string, string> theirSettings = await CountAsync(real.EndPoint, "", "stats settings\r\n");
        IReadOnlyDictionary<string, string> ourSettings = await CountAsync(embedded.Nodes[0].EndPoint, "", "stats settings\r\n");
        Assert.Empty(ourSettings.Keys.Except(theirSettings.Keys));
        foreach (string name in (string[])["maxbytes", "maxconns", "item_size_max", "evictions", "cas_enabled", "growth_factor", "slab_chunk_max", "tcp_backlog", "inter"])
        {
            Assert.Equal(theirSettings[name], ourSettings[name]);
        }

        foreach (string group in (string[])["items", "slabs", "conns"])
        {
            string reply = string.Join('\n', (await CountAsync(embedded.Nodes[0].EndPoint, "", $"stats {group}\r\n")).Keys);
            Assert.NotEmpty(reply);
        }
    }

    private static async Task<IReadOnlyDictionary<string, string>> CountAsync(System.Net.IPEndPoint server, string work, string stats)
    {
        using WireClient client = await WireClient.ConnectAsync(server);
        await client.AskAsync(work);
        return (await client.AskAsync(stats)).Split("\r\n")
            .Select(line => line.Split(' ', 3))
            .Where(parts => parts is ["STAT", _, _])
            .ToDictionary(parts => parts[1], parts => parts[2], StringComparer.Ordinal);
    }

    private static EmbeddedMemcachedOptions Small(int fits)
        => new() { MaximumItemBytes = 1100, MemoryLimitBytes = Math.Max((fits * ItemBytes) + 100, 2200) };

    private static async Task StoreAsync(WireClient client, int from, int to)
    {
        for (int i = from; i < to; i++)
        {
            Assert.Equal("STORED\r\n", await client.AskAsync($"set k{i:d2} 0 0 1000\r\n{new string('x', 1000)}\r\n"));
        }
    }
}
