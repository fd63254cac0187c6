using System.Net;
using MemcachedDistributedCache.Embedded.Tests.Wire;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Embedded.Tests.Server;

/// <summary>What clients announce and do not finish holds no more memory than the server may have, as in memcached.</summary>
public sealed class BoundTests
{
    private const int Megabytes = 8;
    private const int ValueBytes = 400_000;
    private const int ItemBytes = ValueBytes + 70;

    [Fact]
    public Task Uploads_that_never_end_hold_the_memory_limit_and_no_more()
        => OnEmbeddedAsync(async server =>
        {
            int taken = await HoldUploadsAsync(server);
            Assert.InRange(taken, 10, Megabytes * 1024 * 1024 / ItemBytes);
        });

    [MemcachedFact]
    public Task Real_memcached_refuses_uploads_beyond_its_memory_too()
        => OnRealAsync(async server => Assert.InRange(await HoldUploadsAsync(server), 1, 59));

    [Fact]
    public Task Uploads_do_not_push_out_items_without_eviction()
        => OnEmbeddedAsync(
            async server =>
            {
                using WireClient one = await WireClient.ConnectAsync(server);
                using WireClient other = await WireClient.ConnectAsync(server);
                string value = new('x', 1_000_000);
                for (int i = 0; i < 7; i++)
                {
                    Assert.Equal("STORED\r\n", await one.AskAsync($"set k{i} 0 0 {value.Length}\r\n{value}\r\n"));
                }

                // Both fit beside the seven, one at a time.
                await one.SendAsync($"set a 0 0 1000000\r\n{value[..900_000]}");
                await UntilAsync(server, static stats => long.Parse(stats["bytes_read"]) > 7_800_000);
                await one.SendAsync(value[900_000..]);
                Assert.Equal("SERVER_ERROR out of memory storing object\r\n", await other.AskAsync($"set b 0 0 1000000\r\n{value}\r\n"));
                Assert.Equal("STORED\r\n", await one.AskAsync("\r\n"));
                Assert.Contains("STAT evictions 0\r\n", await other.AskAsync("stats\r\n"), StringComparison.Ordinal);
                Assert.Contains("STAT curr_items 8\r\n", await other.AskAsync("stats\r\n"), StringComparison.Ordinal);
            },
            options => options.DisableEvictions = true);

    [Fact]
    public Task A_value_over_the_item_size_is_swallowed_and_not_kept() => OnEmbeddedAsync(SwallowAsync);

    [MemcachedFact]
    public Task Real_memcached_swallows_it_too() => OnRealAsync(SwallowAsync);

    [Fact]
    public Task Lines_that_never_end_hold_half_the_memory_limit_and_no_more()
        => OnEmbeddedAsync(async server =>
        {
            // Of 8 MiB four are for lines: of these three each takes two, and one of them is told and closed.
            string endless = "get " + new string('k', 1_900_000);
            WireClient[] clients = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => WireClient.ConnectAsync(server)));
            Task<string>[] ends = [.. clients.Select(static client => client.ReadToEndAsync())];
            await Task.WhenAll(clients.Select(async client => await IgnoreResetAsync(client.SendAsync(endless))));
            Task<string> first = await Task.WhenAny(ends);
            Assert.StartsWith("SERVER_ERROR out of memory reading request\r\n", await first, StringComparison.Ordinal);
            Assert.Contains("{", await first, StringComparison.Ordinal);
            foreach (WireClient client in clients)
            {
                client.FinishSending();
            }

            await Task.WhenAll(ends);

            // What they held is there again.
            using WireClient next = await WireClient.ConnectAsync(server);
            Assert.Equal("END\r\n", await next.AskAsync("get " + string.Concat(Enumerable.Repeat("k ", 900_000)) + "\r\n"));
            Array.ForEach(clients, static client => client.Dispose());
        });

    [Theory]
    [InlineData("set k 0 0 1")]
    [InlineData("mg k v")]
    [InlineData("gat 0")]
    [InlineData("stats")]
    public Task A_line_over_2048_bytes_that_does_not_get_is_closed(string command) => OnEmbeddedAsync(server => LineTooLongAsync(server, command));

    [MemcachedTheory]
    [InlineData("set k 0 0 1")]
    [InlineData("mg k v")]
    [InlineData("gat 0")]
    [InlineData("stats")]
    public Task Real_memcached_closes_it_too(string command) => OnRealAsync(server => LineTooLongAsync(server, command));

    [Fact]
    public async Task Statistics_of_items_tell_evictions_and_reclaims_of_each_slab_class()
    {
        var clock = new ManualTimeProvider();
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(
            options: new()
            {
                MaximumItemBytes = 1100,
                MemoryLimitBytes = 6 * 1100,
                TimeProvider = clock,
            });
        using WireClient client = await WireClient.ConnectAsync(server.Nodes[0].EndPoint);
        string value = new('x', 1000);
        await client.AskAsync($"set gone 0 5 1000\r\n{value}\r\nset read 0 100 1000\r\n{value}\r\nget read\r\nset small 0 0 1\r\nx\r\n");
        clock.Advance(TimeSpan.FromSeconds(7));
        for (int i = 0; i < 9; i++)
        {
            Assert.Equal("STORED\r\n", await client.AskAsync($"set k{i} 0 0 1000\r\n{value}\r\n"));
        }

        string stats = await client.AskAsync("stats\r\nstats items\r\n");
        foreach (string line in (string[])["evictions 5", "reclaimed 1", "items:1:evicted 1", "items:1:number 0", "items:12:number 6", "items:12:evicted 4", "items:12:evicted_nonzero 1", "items:12:evicted_unfetched 3", "items:12:reclaimed 1", "items:12:expired_unfetched 1"])
        {
            Assert.Contains($"STAT {line}\r\n", stats, StringComparison.Ordinal);
        }

        await client.AskAsync("stats reset\r\n");
        Assert.DoesNotContain("items:1:", await client.AskAsync("stats items\r\n"), StringComparison.Ordinal);
    }

    [MemcachedFact]
    public Task Statistics_of_items_have_names_of_the_real_server_and_add_up_there()
        => OnRealAsync(async real =>
        {
            using WireClient client = await WireClient.ConnectAsync(real);
            string value = new('x', 100_000);
            string stats = "";
            for (int i = 0; i < 400 && !(stats = await client.AskAsync("stats\r\n")).Contains("STAT evictions 9", StringComparison.Ordinal); i++)
            {
                await client.AskAsync($"set k{i} 0 0 {value.Length}\r\n{value}\r\n");
            }

            Dictionary<string, string> theirs = Stats(await client.AskAsync("stats items\r\n"));
            Assert.Equal(
                Stats(stats)["evictions"],
                theirs
                    .Where(static stat => stat.Key.EndsWith(":evicted", StringComparison.Ordinal))
                    .Sum(static stat => int.Parse(stat.Value))
                    .ToString());
            await OnEmbeddedAsync(async embedded =>
            {
                using WireClient our = await WireClient.ConnectAsync(embedded);
                await our.AskAsync("set k 0 0 100000\r\n" + value + "\r\n");
                Assert.Empty(
                    Stats(await our.AskAsync("stats items\r\n"))
                        .Keys.Select(static name => name.Split(':')[2])
                        .Except(theirs.Keys.Select(static name => name.Split(':')[2])));
            });
        });

    private static async Task<int> HoldUploadsAsync(IPEndPoint server)
    {
        // Fewer than the server takes: the next is told that there is no memory, and swallowed.
        const int Clients = 60;
        List<WireClient> clients = [];
        int taken = 0;
        for (int i = 0; i < Clients; i++)
        {
            WireClient client = await WireClient.ConnectAsync(server);
            clients.Add(client);
            await client.SendAsync($"set up{i} 0 0 {ValueBytes}\r\n{new string('x', ValueBytes - 1)}");
        }

        await UntilAsync(server, static stats => long.Parse(stats["bytes_read"]) > Clients * (long)ValueBytes);
        foreach (WireClient client in clients)
        {
            string reply = await client.AskAsync("x\r\n");
            Assert.True(reply is "STORED\r\n" or "SERVER_ERROR out of memory storing object\r\n", reply);
            taken += reply == "STORED\r\n" ? 1 : 0;
        }

        // Uploads that are given up in the middle leave nothing behind.
        for (int round = 0; round < 3; round++)
        {
            foreach (WireClient client in clients)
            {
                await IgnoreResetAsync(client.SendAsync($"set again 0 0 {ValueBytes}\r\nx"));
                client.Dispose();
            }

            clients = [.. await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => WireClient.ConnectAsync(server)))];
        }

        clients.ForEach(static client => client.Dispose());
        await Eventually.True(
            async () =>
            {
                using WireClient last = await WireClient.ConnectAsync(server);
                return await last.AskAsync($"set last 0 0 {ValueBytes}\r\n{new string('x', ValueBytes)}\r\n") == "STORED\r\n";
            },
            "the server has met all the ends");
        return taken;
    }

    private static async Task SwallowAsync(IPEndPoint server)
    {
        using WireClient client = await WireClient.ConnectAsync(server);
        await client.SendAsync("set k 0 0 50000000\r\n");
        string part = new('x', 1_000_000);
        for (int i = 0; i < 50; i++)
        {
            await client.SendAsync(part);
        }

        Assert.Equal("SERVER_ERROR object too large for cache\r\n", await client.AskAsync("\r\n"));
    }

    private static async Task LineTooLongAsync(IPEndPoint server, string command)
    {
        using WireClient client = await WireClient.ConnectAsync(server);
        await IgnoreResetAsync(client.SendAsync(command + new string(' ', 100_000)));
        Assert.Contains(await client.ReadToEndAsync(), (string[])["{closed}", "{reset}"]);
    }

    private static async Task UntilAsync(IPEndPoint server, Func<Dictionary<string, string>, bool> holds)
    {
        using WireClient client = await WireClient.ConnectAsync(server);
        await Eventually.True(async () => holds(Stats(await client.AskAsync("stats\r\n"))), "the statistics are as expected");
    }

    private static async Task IgnoreResetAsync(Task sending)
    {
        try
        {
            await sending;
        }
        catch (System.Net.Sockets.SocketException)
        {
            // The server has closed while there was more to send.
        }
    }

    private static Dictionary<string, string> Stats(string reply)
        => reply
            .Split("\r\n")
            .Select(static line => line.Split(' ', 3))
            .Where(static parts => parts is ["STAT", _, _])
            .ToDictionary(static parts => parts[1], static parts => parts[2], StringComparer.Ordinal);

    private static async Task OnEmbeddedAsync(Func<IPEndPoint, Task> test, Action<EmbeddedMemcachedOptions>? configure = null)
    {
        var options = new EmbeddedMemcachedOptions { MemoryLimitBytes = Megabytes * 1024 * 1024 };
        configure?.Invoke(options);
        await using EmbeddedMemcached server = await EmbeddedMemcached.StartAsync(options: options);
        await test(server.Nodes[0].EndPoint);
    }

    private static async Task OnRealAsync(Func<IPEndPoint, Task> test)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-m", "8");
        await test(server.EndPoint);
    }
}
