using System.Diagnostics;
using System.Net.Http.Json;
using System.Net;
using System.Text.Json;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.WebTests;

/// <summary>The cached report, in two instances.</summary>
public sealed class ReportTests
{
    [MemcachedFact]
    public async Task A_report_is_shared_varies_by_category_and_ends_with_a_repricing()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        ReportBody all = await GetAsync(one, "");
        ReportBody budget = await GetAsync(one, "?category=budget");
        Assert.Equal((20, "all", 6.75m, 89m), (all.Products, all.Category, all.LowestPrice, all.HighestPrice));
        Assert.Equal("budget", budget.Category);
        Assert.InRange(budget.HighestPrice, 0, 19.99m);
        Assert.Equal(all, await GetAsync(other, ""));
        Assert.Equal(budget, await GetAsync(other, "?category=budget&tracking=1"));
        await one.GetProductAsync(1);

        using HttpResponseMessage response = await other.PostAsJsonAsync("/api/products/reprice", new { percent = 10 });
        await ApiClient.AssertStatusAsync(HttpStatusCode.OK, response);
        Assert.Equal(20, (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("products").GetInt32());

        ReportBody newer = await GetAsync(one, "");
        Assert.Equal(97.9m, newer.HighestPrice);
        Assert.Equal(newer, await GetAsync(other, ""));
        Assert.NotEqual(budget, await GetAsync(other, "?category=budget"));

        // Its own copy of a product follows within a second.
        await one.WaitForProductAsync(1, static product => product.Price == 10.45m);
    }

    /// <summary>
    /// Two ports, as samples/WebApi/README.md starts two instances: by default a page's key in ASP.NET contains host
    /// and port.
    /// </summary>
    [MemcachedFact]
    public async Task Instances_on_ports_of_their_own_share_a_report()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp one = cluster.NewApp();
        SampleApp other = cluster.NewApp();
        Assert.NotEqual(one.Listen().Port, other.Listen().Port);
        using HttpClient client = one.NewClient();
        using HttpClient second = other.NewClient();
        ReportBody report = await GetAsync(client, "");
        Assert.Equal(report, await GetAsync(second, ""));
    }

    [MemcachedFact]
    public async Task A_wrong_request_is_refused_and_not_cached()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        foreach (string category in (string[])["nothing", "%00", new('x', 5000)])
        {
            using HttpResponseMessage response = await client.GetAsync(new Uri("/api/report?category=" + category, UriKind.Relative));
            await ApiClient.AssertStatusAsync(HttpStatusCode.BadRequest, response);
        }

        foreach (string body in (string[])["{}", "{\"percent\":-91}", "{\"percent\":901}", "{\"percent\":null}", "[]", "x"])
        {
            using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
            using HttpResponseMessage response = await client.PostAsync(new Uri("/api/products/reprice", UriKind.Relative), content);
            await ApiClient.AssertStatusAsync(HttpStatusCode.BadRequest, response);
        }
    }

    [MemcachedFact]
    public async Task Without_any_node_a_report_is_made_each_time_and_health_says_so()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        await GetAsync(client, "");
        await client.WaitForNodesAsync(static nodes => nodes.All(static node => node.State == "Up"));
        Assert.Equal((HttpStatusCode.OK, "Healthy"), await ReadyAsync(client));
        await cluster.Nodes[0].KillAsync();
        Assert.Equal((HttpStatusCode.OK, "Degraded"), await ReadyAsync(client));
        await cluster.Nodes[1].KillAsync();
        await cluster.Nodes[2].KillAsync();
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "Unhealthy"), await ReadyAsync(client));
        using HttpResponseMessage live = await client.GetAsync(new Uri("/health/live", UriKind.Relative));
        await ApiClient.AssertStatusAsync(HttpStatusCode.OK, live);
        Assert.NotEqual(await GetAsync(client, ""), await GetAsync(client, ""));
        using HttpResponseMessage repriced = await client.PostAsJsonAsync("/api/products/reprice", new { percent = 10 });
        await ApiClient.AssertStatusAsync(HttpStatusCode.OK, repriced);
    }

    [MemcachedFact]
    public async Task The_API_is_described()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        JsonElement description = await client.GetFromJsonAsync<JsonElement>(new Uri("/openapi/v1.json", UriKind.Relative));
        Assert.StartsWith("3.", description.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        JsonElement paths = description.GetProperty("paths");
        foreach (string path in (string[])["/api/products/{id}", "/api/products/{id}/price", "/api/products/reprice", "/api/report", "/api/session/visits", "/api/cache/nodes"])
        {
            Assert.True(paths.TryGetProperty(path, out _), path);
        }
    }

    [MemcachedFact]
    public async Task The_nodes_are_told_as_events_and_the_application_ends_while_somebody_listens()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp();
        app.Listen();
        using HttpClient client = app.NewClient();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using HttpResponseMessage response = await client.GetAsync(
            new Uri("/api/cache/events", UriKind.Relative),
            HttpCompletionOption.ResponseHeadersRead,
            limit.Token);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(limit.Token));
        for (int i = 0; i < 3; i++)
        {
            string line = (await reader.ReadLineAsync(limit.Token))!;
            JsonElement nodes = JsonDocument.Parse(line["data: ".Length..]).RootElement;
            Assert.Equal(
                cluster.Nodes.Select(static node => node.Server),
                nodes.EnumerateArray().Select(static node => node.GetProperty("server").GetString()));
            Assert.All(nodes.EnumerateArray(), static node => Assert.Equal("Up", node.GetProperty("state").GetString()));
            Assert.Equal("", await reader.ReadLineAsync(limit.Token));
        }

        await app.DisposeAsync().AsTask().WaitAsync(limit.Token);
    }

    private static async Task<ReportBody> GetAsync(HttpClient client, string query)
    {
        using HttpResponseMessage response = await client.GetAsync(new Uri("/api/report" + query, UriKind.Relative));
        await ApiClient.AssertStatusAsync(HttpStatusCode.OK, response);
        return (await response.Content.ReadFromJsonAsync<ReportBody>())!;
    }

    private static async Task<(HttpStatusCode Status, string? Word)> ReadyAsync(HttpClient client)
    {
        using HttpResponseMessage response = await client.GetAsync(new Uri("/health/ready", UriKind.Relative));
        return (response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("status").GetString());
    }

    private sealed record ReportBody(string Category, int Products, decimal AveragePrice, decimal LowestPrice, decimal HighestPrice, DateTimeOffset MadeAt);
}
