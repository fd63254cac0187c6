using System.Diagnostics;
using System.Net;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.WebTests;

public sealed class OutageTests
{
    private const int Products = 20;

    [MemcachedFact]
    public async Task The_nodes_are_shown_with_what_was_read()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        await client.WaitForNodesAsync(AllUp);
        await ReadAllAsync(client);
        Assert.All(await ReadAllAsync(client), static cache => Assert.Equal("L1", cache));

        NodeBody[] nodes = await client.GetNodesAsync();
        Assert.Equal(cluster.Nodes.Select(static node => node.Server), nodes.Select(static node => node.Server));
        Assert.Equal(0, nodes.Sum(static node => node.Errors));
        Assert.InRange(nodes.Sum(static node => node.Misses), Products, Products + nodes.Length + 2); // and a miss of each tag

        // The servers' own counts agree: a product costs the reads that it needs and no more.
        for (int i = 0; i < nodes.Length; i++)
        {
            IReadOnlyDictionary<string, string> stats = await cluster.Nodes[i].StatsAsync();
            Assert.Equal(stats["version"], nodes[i].Version);
        }
    }

    [MemcachedFact]
    public async Task A_killed_node_costs_misses_and_nothing_else_and_comes_back()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        await ReadAllAsync(client);
        await client.WaitForNodesAsync(AllUp);
        string cookie = await client.BeginSessionAsync();

        await cluster.Nodes[1].KillAsync();
        NodeBody[] nodes = await client.WaitForNodesAsync(static nodes => nodes[1].State == "Down", VisitAndReadAllAsync);
        Assert.Equal(["Up", "Down", "Up"], nodes.Select(static node => node.State));
        await VisitAndReadAllAsync();

        await cluster.Nodes[1].StartAgainAsync();
        await client.WaitForNodesAsync(AllUp, VisitAndReadAllAsync);
        await AllHitAsync(client);

        async Task VisitAndReadAllAsync()
        {
            await client.VisitAsync(cookie);
            await ReadAllAsync(client);
        }
    }

    /// <summary>A product whose last write was lost with a node is a miss for some seconds more; then all are hits.</summary>
    private static Task AllHitAsync(HttpClient client)
        => Eventually.True(async () => !(await ReadAllAsync(client)).Any(static cache => cache == "MISS"), "the products are cached again");

    [MemcachedFact]
    public async Task Without_any_node_products_come_from_the_store_and_sessions_are_empty()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        await ReadAllAsync(client);
        string cookie = await client.BeginSessionAsync();
        await Task.WhenAll(cluster.Nodes.Select(static node => node.KillAsync()));

        await client.WaitForNodesAsync(static nodes => nodes.All(static node => node.State == "Down"), () => ReadAllAsync(client));
        await ReadAllAsync(client);
        Assert.All(await ReadAllAsync(client), static cache => Assert.Equal("L1", cache));
        Assert.Equal((1, null), await client.VisitAsync(cookie));
        Assert.Equal((1, null), await client.VisitAsync(cookie));
        await client.BeginSessionAsync();
        await client.ChangePriceAsync(1, 77m);
        Assert.Equal((77m, "L1"), ((await client.GetProductAsync(1)).Product.Price, (await client.GetProductAsync(1)).Cache));

        await Task.WhenAll(cluster.Nodes.Select(static node => node.StartAgainAsync()));
        await client.WaitForNodesAsync(AllUp);
        await AllHitAsync(client);
        Assert.Equal((1, null), await client.VisitAsync(cookie));
        Assert.Equal((2, null), await client.VisitAsync(cookie));
    }

    [MemcachedFact]
    public async Task The_application_starts_while_its_nodes_are_away()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        await Task.WhenAll(cluster.Nodes.Select(static node => node.KillAsync()));
        SampleApp app = cluster.NewApp();
        using HttpClient client = app.NewClient();
        await ReadAllAsync(client);
        await client.BeginSessionAsync();
        await Task.WhenAll(cluster.Nodes.Select(static node => node.StartAgainAsync()));
        await client.WaitForNodesAsync(AllUp);
        await AllHitAsync(client);
    }

    [MemcachedFact]
    public async Task A_node_that_hangs_delays_a_request_by_its_limits_and_fails_none()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp(null, ("Memcached:OperationTimeout", "00:00:00.200"), ("Memcached:ConnectTimeout", "00:00:00.200"));
        using HttpClient client = app.NewClient();
        await ReadAllAsync(client);
        await client.WaitForNodesAsync(AllUp);

        cluster.Nodes[2].Freeze();
        for (int id = 1; id <= Products; id++)
        {
            // A read and a store wait for the node, 200 ms each; the rest is room for a busy machine.
            long started = Stopwatch.GetTimestamp();
            await client.GetProductAsync(id);
            Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        }

        cluster.Nodes[2].Thaw();
        await client.WaitForNodesAsync(AllUp, () => ReadAllAsync(client));
    }

    [MemcachedFact]
    public async Task Where_failures_are_to_throw_the_answer_is_503_with_problem_details()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp(null, ("Memcached:FailureMode", "Throw"));
        using HttpClient client = app.NewClient();
        await ReadAllAsync(client);
        await Task.WhenAll(cluster.Nodes.Select(static node => node.KillAsync()));
        using HttpResponseMessage response = await client.GetAsync(new Uri("/api/session/visits", UriKind.Relative));
        await ApiClient.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, response);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);

        // The hybrid cache goes on by itself, whatever the mode.
        await ReadAllAsync(client);
    }

    private static bool AllUp(NodeBody[] nodes) => nodes.All(static node => node.State == "Up");

    private static async Task<List<string>> ReadAllAsync(HttpClient client)
    {
        var caches = new List<string>();
        for (int id = 1; id <= Products; id++)
        {
            (ProductBody product, string cache) = await client.GetProductAsync(id);
            Assert.Equal(id, product.Id);
            caches.Add(cache);
        }

        return caches;
    }
}
