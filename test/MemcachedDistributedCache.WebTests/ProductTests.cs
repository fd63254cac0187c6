using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Net;
using System.Text.Json;
using System.Text;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.WebTests;

public sealed class ProductTests
{
    [MemcachedFact]
    public async Task The_first_read_is_a_miss_the_next_comes_from_here_and_another_instances_from_the_cluster()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        for (int id = 1; id <= 20; id++)
        {
            (ProductBody first, string firstCache) = await client.GetProductAsync(id);
            (ProductBody second, string secondCache) = await client.GetProductAsync(id);
            (ProductBody third, string thirdCache) = await other.GetProductAsync(id);
            Assert.Equal(("MISS", "L1", "L2"), (firstCache, secondCache, thirdCache));
            Assert.Equal((first, first), (second, third));
            Assert.Equal((id, 1), (first.Id, first.Version));
            Assert.True(first.Price > 0);
        }
    }

    [MemcachedFact]
    public async Task A_price_change_is_seen_at_once_where_it_was_made_and_soon_on_the_other_instance()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        Assert.Equal("MISS", (await one.GetProductAsync(7)).Cache);
        Assert.Equal("L2", (await other.GetProductAsync(7)).Cache);

        await one.ChangePriceAsync(7, 12.5m);
        (ProductBody seenByOne, string oneCache) = await one.GetProductAsync(7);
        Assert.Equal((12.5m, 2L, "MISS"), (seenByOne.Price, seenByOne.Version, oneCache));
        ProductBody seenByOther = await other.WaitForProductAsync(7, static product => product.Version == 2);
        Assert.Equal(seenByOne, seenByOther);

        await other.ChangePriceAsync(7, 0.01m);
        Assert.Equal(0.01m, (await one.WaitForProductAsync(7, static product => product.Version == 3)).Price);
    }

    [MemcachedFact]
    public async Task Repricing_is_seen_for_every_product_at_once_here_and_soon_there()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        for (int id = 1; id <= 20; id++)
        {
            await one.GetProductAsync(id);
            await other.GetProductAsync(id);
        }

        decimal before = (await one.GetProductAsync(1)).Product.Price;
        using (HttpResponseMessage response = await one.PostAsJsonAsync("/api/products/reprice", new { percent = 10 }))
        {
            await ApiClient.AssertStatusAsync(HttpStatusCode.OK, response);
            Assert.Equal("""{"products":20}""", await response.Content.ReadAsStringAsync());
        }

        for (int id = 1; id <= 20; id++)
        {
            (ProductBody product, string cache) = await one.GetProductAsync(id);
            Assert.Equal((2L, "MISS"), (product.Version, cache));
        }

        Assert.Equal(decimal.Round(before * 1.1m, 2), (await one.GetProductAsync(1)).Product.Price);
        for (int id = 1; id <= 20; id++)
        {
            await other.WaitForProductAsync(id, static product => product.Version == 2);
        }

        foreach (string body in (string[])["{}", """{"percent":null}""", """{"percent":-91}""", """{"percent":901}"""])
        {
            using var content = new StringContent(body, Encoding.UTF8, "application/json");
            using HttpResponseMessage refused = await one.PostAsync(new Uri("/api/products/reprice", UriKind.Relative), content);
            await ApiClient.AssertStatusAsync(HttpStatusCode.BadRequest, refused);
        }

        Assert.Equal(2, (await one.GetProductAsync(1)).Product.Version);
    }

    [MemcachedFact]
    public async Task An_expired_product_is_shown_at_once_and_refreshed()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp(null, ("Products:TimeToLive", "00:00:01"), ("Memcached:Hybrid:StaleWindow", "01:00:00")).NewClient();
        Assert.Equal("MISS", (await client.GetProductAsync(1)).Cache);
        var seen = new List<string>();
        long started = Stopwatch.GetTimestamp();
        while (seen is not [.., "STALE", "L1" or "L2"])
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30), string.Join(' ', seen));
            string cache = (await client.GetProductAsync(1)).Cache;
            if (seen.Count == 0 || seen[^1] != cache)
            {
                seen.Add(cache);
            }

            await Task.Delay(5);
        }

        Assert.DoesNotContain("MISS", seen);
    }

    [MemcachedFact]
    public async Task Readers_and_writers_on_two_instances_end_with_the_price_of_the_store()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        HttpClient[] clients = [one, other];
        int written = 0;
        Task[] writers = [.. Enumerable.Range(1, 4).Select(id => Task.Run(async () =>
        {
            for (int i = 1; i <= 25; i++)
            {
                await clients[i % 2].ChangePriceAsync(id, i);
                Interlocked.Increment(ref written);
            }
        }))];
        Task[] readers = [.. Enumerable.Range(0, 8).Select(n => Task.Run(async () =>
        {
            while (Volatile.Read(ref written) < 100 && !writers.Any(static writer => writer.IsFaulted))
            {
                await clients[n % 2].GetProductAsync(1 + (n % 4));
            }
        }))];
        await Task.WhenAll([.. writers, .. readers]);

        for (int id = 1; id <= 4; id++)
        {
            Assert.Equal(25m, (await one.WaitForProductAsync(id, static product => product.Version == 26)).Price);
            Assert.Equal(25m, (await other.WaitForProductAsync(id, static product => product.Version == 26)).Price);
        }
    }

    [MemcachedFact]
    public async Task An_entry_of_another_shape_is_a_miss()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp();
        using HttpClient client = app.NewClient();
        HybridCache cache = app.Services.GetRequiredService<HybridCache>();
        (ProductBody expected, _) = await client.GetProductAsync(5);
        await cache.SetAsync("product:1:5", "a text");
        Assert.Equal((expected, "MISS"), await client.GetProductAsync(5));
        Assert.Equal((expected, "L1"), await client.GetProductAsync(5));
        await cache.SetAsync("product:1:5", new byte[] { 1, 2, 3 });
        Assert.Equal((expected, "MISS"), await client.GetProductAsync(5));
        Assert.Equal((expected, "L1"), await client.GetProductAsync(5));
    }

    [MemcachedFact]
    public async Task An_unknown_product_is_404_and_is_not_cached()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        foreach (string id in (string[])["21", "0", "-1", "9223372036854775807"])
        {
            for (int i = 0; i < 2; i++)
            {
                using HttpResponseMessage response = await client.GetAsync(new Uri("/api/products/" + id, UriKind.Relative));
                await ApiClient.AssertStatusAsync(HttpStatusCode.NotFound, response);
                Assert.Equal("MISS", response.Headers.GetValues("X-Cache").Single());
                Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
            }
        }

        using HttpResponseMessage put = await client.PutPriceAsync(21, 1);
        await ApiClient.AssertStatusAsync(HttpStatusCode.NotFound, put);

        // No more than the versions of two tags, one of them on each node.
        Assert.InRange(
            (await Task.WhenAll(cluster.Nodes.Select(node => node.StatsAsync()))).Sum(stats =>
                int.Parse(stats["curr_items"], CultureInfo.InvariantCulture)),
            0,
            cluster.Nodes.Count + 1);
    }

    [MemcachedFact]
    public async Task A_bad_price_is_refused_with_problem_details_and_changes_nothing()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        (ProductBody before, _) = await client.GetProductAsync(1);
        (string Body, string? Problem)[] cases =
        [
            ("{}", "missing"),
            ("""{"price":null}""", "missing"),
            ("""{"price":-0.01}""", "from 0 to"),
            ("""{"price":1000000.01}""", "from 0 to"),
            ("""{"price":79228162514264337593543950335}""", "from 0 to"),
            ("""{"price":1.005}""", "decimals"),
            ("""{"price":1e400}""", null),
            ("""{"price":"12.5"}x""", null),
            ("""{"price":[1]}""", null),
            ("null", null),
            ("", null),
            ("{", null),
        ];
        foreach ((string body, string? problem) in cases)
        {
            using var content = new StringContent(body, Encoding.UTF8, "application/json");
            using HttpResponseMessage response = await client.PutAsync(new Uri("/api/products/1/price", UriKind.Relative), content);
            await ApiClient.AssertStatusAsync(HttpStatusCode.BadRequest, response);
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
            if (problem is not null)
            {
                using JsonDocument details = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
                Assert.Contains(problem, details.RootElement.GetProperty("errors").GetProperty("price")[0].GetString(), StringComparison.Ordinal);
            }
        }

        Assert.Equal(before, (await client.GetProductAsync(1)).Product);
    }
}
