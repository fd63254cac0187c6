using System.Net;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.WebTests;

public sealed class ServerConfigurationTests
{
    [Fact]
    public async Task Without_servers_three_embedded_nodes_start_and_the_log_says_so()
    {
        await using var cluster = SampleCluster.WithoutNodes();
        SampleApp app = cluster.NewApp();
        using HttpClient client = app.NewClient();
        Assert.Equal("MISS", (await client.GetProductAsync(1)).Cache);
        Assert.Equal("L1", (await client.GetProductAsync(1)).Cache);
        await client.ChangePriceAsync(1, 3m);
        Assert.Equal(3m, (await client.GetProductAsync(1)).Product.Price);
        string cookie = await client.BeginSessionAsync();
        Assert.Equal(2, (await client.VisitAsync(cookie)).Visits);

        NodeBody[] nodes = await client.WaitForNodesAsync(static nodes => nodes.All(static node => node.State == "Up"));
        Assert.Equal(3, nodes.Length);
        FakeLogRecord entry = Assert.Single(app.Log.Entries, static entry => entry.Message.Contains("embedded nodes", StringComparison.Ordinal));
        Assert.Equal((LogLevel.Warning, "WebApi.Cache"), (entry.Level, entry.Category));
        Assert.StartsWith("Memcached:Servers is not configured: started 3 embedded nodes on ", entry.Message, StringComparison.Ordinal);
        Assert.All(nodes, node => Assert.Contains(node.Server, entry.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Other_options_hold_for_embedded_nodes_too()
    {
        await using var cluster = SampleCluster.WithoutNodes();
        SampleApp app = cluster.NewApp(null, ("Memcached:OperationTimeout", "0"));
        OptionsValidationException error = Assert.Throws<OptionsValidationException>(app.NewClient);
        Assert.Contains("OperationTimeout", error.Message, StringComparison.Ordinal);
    }

    [MemcachedFact]
    public async Task Servers_may_stand_in_one_text_with_commas()
    {
        await using SampleCluster nodes = await SampleCluster.StartAsync();
        await using var cluster = SampleCluster.WithoutNodes();
        SampleApp app = cluster.NewApp(null, ("Memcached:Servers", string.Join(',', nodes.Nodes.Select(static node => node.Server))));
        using HttpClient client = app.NewClient();
        Assert.Equal("MISS", (await client.GetProductAsync(1)).Cache);
        Assert.Equal("L1", (await client.GetProductAsync(1)).Cache);
        Assert.Equal(nodes.Nodes.Select(static node => node.Server), (await client.GetNodesAsync()).Select(static node => node.Server));
        Assert.DoesNotContain(app.Log.Texts(), static line => line.Contains("embedded nodes", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_page_links_the_endpoints_and_loads_nothing_from_elsewhere()
    {
        await using var cluster = SampleCluster.WithoutNodes();
        using HttpClient client = cluster.NewApp().NewClient();
        using HttpResponseMessage response = await client.GetAsync(new Uri("/", UriKind.Relative));
        await ApiClient.AssertStatusAsync(HttpStatusCode.OK, response);
        Assert.Equal("text/html", response.Content.Headers.ContentType?.MediaType);
        string page = await response.Content.ReadAsStringAsync();
        foreach (string path in (string[])["/api/products/1", "/api/session/visits", "/api/cache/nodes"])
        {
            Assert.Contains($"href=\"{path}\"", page, StringComparison.Ordinal);
            using HttpResponseMessage linked = await client.GetAsync(new Uri(path, UriKind.Relative));
            await ApiClient.AssertStatusAsync(HttpStatusCode.OK, linked);
        }

        Assert.DoesNotContain("//", page, StringComparison.Ordinal);
        Assert.DoesNotContain("src=", page, StringComparison.Ordinal);
    }
}
