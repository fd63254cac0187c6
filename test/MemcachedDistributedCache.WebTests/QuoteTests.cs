using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.WebTests;

/// <summary>The limit that two instances share, and what they have in the cache from the start.</summary>
public sealed class QuoteTests
{
    [MemcachedFact]
    public async Task Three_offers_a_minute_are_made_by_both_instances_together()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        using HttpResponseMessage first = await AskAsync(one, "quantity=100");
        await ApiClient.AssertStatusAsync(HttpStatusCode.OK, first);
        Assert.Equal(8010m, (await first.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("total").GetDecimal());
        using HttpResponseMessage wrong = await AskAsync(other, "quantity=0");
        await ApiClient.AssertStatusAsync(HttpStatusCode.BadRequest, wrong);
        using HttpResponseMessage third = await AskAsync(one, "quantity=1");
        await ApiClient.AssertStatusAsync(HttpStatusCode.OK, third);
        foreach (HttpClient client in (HttpClient[])[one, other])
        {
            using HttpResponseMessage refused = await AskAsync(client, "quantity=1");
            await ApiClient.AssertStatusAsync(HttpStatusCode.TooManyRequests, refused);
            Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
            Assert.Equal(429, (await refused.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("status").GetInt32());
        }
    }

    [MemcachedFact]
    public async Task The_best_sold_products_are_there_from_the_start_and_readiness_waits_for_them()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp(null, ("Products:WarmUp", "10")).NewClient();
        await Eventually.True(
            async () =>
            {
                using HttpResponseMessage ready = await client.GetAsync(new Uri("/health/ready", UriKind.Relative));
                JsonElement json = await ready.Content.ReadFromJsonAsync<JsonElement>();
                return json.GetProperty("memcached-warmup").GetProperty("description").GetString() == "Warmed up.";
            },
            "the warm-up has ended");
        for (int id = 11; id <= 20; id++)
        {
            Assert.Equal("L1", (await client.GetProductAsync(id)).Cache);
        }

        Assert.Equal("MISS", (await client.GetProductAsync(10)).Cache);
    }

    private static Task<HttpResponseMessage> AskAsync(HttpClient client, string query)
        => client.GetAsync(new Uri("/api/products/2/quote?" + query, UriKind.Relative));
}
