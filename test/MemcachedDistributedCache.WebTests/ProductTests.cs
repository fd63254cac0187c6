using System.Net;
using System.Text;
using System.Text.Json;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.WebTests;

public sealed class ProductTests
{
    [MemcachedFact]
    public async Task The_first_read_is_a_miss_and_the_next_a_hit()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient client = cluster.NewApp().NewClient();
        for (int id = 1; id <= 20; id++)
        {
            (ProductBody first, string firstCache) = await client.GetProductAsync(id);
            (ProductBody second, string secondCache) = await client.GetProductAsync(id);
            Assert.Equal(("MISS", "HIT"), (firstCache, secondCache));
            Assert.Equal(first, second);
            Assert.Equal((id, 1), (first.Id, first.Version));
            Assert.True(first.Price > 0);
        }
    }

    [MemcachedFact]
    public async Task A_price_change_is_seen_on_both_instances()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient one = cluster.NewApp().NewClient();
        using HttpClient other = cluster.NewApp().NewClient();
        Assert.Equal("MISS", (await one.GetProductAsync(7)).Cache);
        Assert.Equal("HIT", (await other.GetProductAsync(7)).Cache);

        await one.ChangePriceAsync(7, 12.5m);
        (ProductBody seenByOther, string otherCache) = await other.GetProductAsync(7);
        Assert.Equal((12.5m, 2L, "MISS"), (seenByOther.Price, seenByOther.Version, otherCache));
        (ProductBody seenByOne, string oneCache) = await one.GetProductAsync(7);
        Assert.Equal((seenByOther, "HIT"), (seenByOne, oneCache));

        await other.ChangePriceAsync(7, 0.01m);
        Assert.Equal(0.01m, (await one.GetProductAsync(7)).Product.Price);
    }

    [MemcachedFact]
    public async Task A_row_read_before_a_price_change_and_stored_after_it_does_not_stay()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        using HttpClient writer = cluster.NewApp().NewClient();
        var late = new LateCache();
        SampleApp reading = cluster.NewApp(services => services.AddSingleton<IDistributedCache>(provider =>
        {
            late.Inner = provider.GetRequiredService<MemcachedCache>();
            return late;
        }));
        using HttpClient reader = reading.NewClient();

        late.BeforeNextSet = () => writer.ChangePriceAsync(3, 99m);
        Assert.NotEqual(99m, (await reader.GetProductAsync(3)).Product.Price);
        Assert.Null(late.BeforeNextSet);

        (ProductBody product, string cache) = await writer.GetProductAsync(3);
        Assert.Equal((99m, "MISS"), (product.Price, cache));
        Assert.Equal((99m, "HIT"), ((await reader.GetProductAsync(3)).Product.Price, (await reader.GetProductAsync(3)).Cache));
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
            Assert.Equal((25m, 26L), ((await one.GetProductAsync(id)).Product.Price, (await other.GetProductAsync(id)).Product.Version));
        }
    }

    [MemcachedTheory]
    [InlineData("no json")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"id":5,"name":null,"price":1,"version":1}""")]
    public async Task An_entry_of_another_shape_is_a_miss(string entry)
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp();
        using HttpClient client = app.NewClient();
        IDistributedCache cache = app.Services.GetRequiredService<IDistributedCache>();
        (ProductBody expected, _) = await client.GetProductAsync(5);
        Assert.NotNull(await cache.GetAsync("product:1:5"));

        await cache.SetStringAsync("product:1:5", entry);
        Assert.Equal((expected, "MISS"), await client.GetProductAsync(5));
        Assert.Equal((expected, "HIT"), await client.GetProductAsync(5));
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
        Assert.All(await Task.WhenAll(cluster.Nodes.Select(node => node.StatsAsync())), stats => Assert.Equal("0", stats["total_items"]));
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

        Assert.Equal((before, "HIT"), await client.GetProductAsync(1));
    }

    /// <summary>Lets something happen between the load of a row and the store of its entry.</summary>
    private sealed class LateCache : IDistributedCache
    {
        public MemcachedCache? Inner { get; set; }

        public Func<Task>? BeforeNextSet { get; set; }

        public byte[]? Get(string key) => Inner!.Get(key);

        public Task<byte[]?> GetAsync(string key, CancellationToken token = default) => Inner!.GetAsync(key, token);

        public void Refresh(string key) => Inner!.Refresh(key);

        public Task RefreshAsync(string key, CancellationToken token = default) => Inner!.RefreshAsync(key, token);

        public void Remove(string key) => Inner!.Remove(key);

        public Task RemoveAsync(string key, CancellationToken token = default) => Inner!.RemoveAsync(key, token);

        public void Set(string key, byte[] value, DistributedCacheEntryOptions options) => Inner!.Set(key, value, options);

        public async Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
        {
            if (BeforeNextSet is { } before)
            {
                BeforeNextSet = null;
                await before();
            }

            await Inner!.SetAsync(key, value, options, token);
        }
    }
}
