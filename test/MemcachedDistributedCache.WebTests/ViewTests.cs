using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.WebTests;

public sealed class ViewTests
{
    [MemcachedFact]
    public async Task Views_are_counted_for_all_instances_and_listed_with_the_products()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        for (int view = 1; view <= 4; view++)
        {
            using HttpResponseMessage counted = await (view % 2 == 0 ? one : other).PostAsync(Of("/api/products/2/views"), content: null);
            Assert.Equal(view, (await counted.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("count").GetInt32());
        }

        JsonElement[] listed = (await other.GetFromJsonAsync<JsonElement[]>(Of("/api/products?ids=3,2,99999,2")))!;
        Assert.Equal([(3, 0), (2, 4)], listed.Select(static one => (one.GetProperty("product").GetProperty("id").GetInt32(), one.GetProperty("views").GetInt32())));
    }

    [MemcachedTheory]
    [InlineData("/api/products")]
    [InlineData("/api/products?ids=")]
    [InlineData("/api/products?ids=1,x")]
    [InlineData("/api/products?ids=-1")]
    public async Task A_list_of_wrong_ids_is_the_callers_mistake(string path)
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        using HttpResponseMessage response = await client.GetAsync(Of(path));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("ids=1,2,3", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using HttpResponseMessage unknown = await client.PostAsync(Of("/api/products/99999/views"), content: null);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    private static Uri Of(string path) => new(path, UriKind.Relative);
}
