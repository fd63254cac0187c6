using System.Net.Http.Json;
using System.Net;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.WebTests;

/// <summary>The sample's API as its callers see it, with shapes of its own: a renamed property in the sample must fail a test.</summary>
internal static class ApiClient
{
    public static async Task<(ProductBody Product, string Cache)> GetProductAsync(this HttpClient client, int id)
    {
        using HttpResponseMessage response = await client.GetAsync(new Uri($"/api/products/{id}", UriKind.Relative));
        await AssertStatusAsync(HttpStatusCode.OK, response);
        return ((await response.Content.ReadFromJsonAsync<ProductBody>())!, response.Headers.GetValues("X-Cache").Single());
    }

    /// <summary>Reads until the product is as wanted: another instance may use its own copy for a moment.</summary>
    public static Task<ProductBody> WaitForProductAsync(this HttpClient client, int id, Func<ProductBody, bool> wanted)
        => Eventually.Get(async () => (await client.GetProductAsync(id)).Product, wanted, $"product {id} is as wanted");

    public static Task<HttpResponseMessage> PutPriceAsync(this HttpClient client, int id, decimal price)
        => client.PutAsJsonAsync($"/api/products/{id}/price", new { price });

    public static async Task ChangePriceAsync(this HttpClient client, int id, decimal price)
    {
        using HttpResponseMessage response = await client.PutPriceAsync(id, price);
        await AssertStatusAsync(HttpStatusCode.OK, response);
        Assert.Equal(price, (await response.Content.ReadFromJsonAsync<ProductBody>())!.Price);
    }

    public static async Task<(int Visits, string? SetCookie)> VisitAsync(this HttpClient client, string? cookie)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/session/visits");
        if (cookie is not null)
        {
            Assert.True(request.Headers.TryAddWithoutValidation("Cookie", cookie));
        }

        using HttpResponseMessage response = await client.SendAsync(request);
        await AssertStatusAsync(HttpStatusCode.OK, response);
        string? setCookie = response.Headers.TryGetValues("Set-Cookie", out IEnumerable<string>? values) ? values.Single() : null;
        return ((await response.Content.ReadFromJsonAsync<VisitsBody>())!.Visits, setCookie);
    }

    /// <summary>Begins a session, which counts one visit, and returns its cookie.</summary>
    public static async Task<string> BeginSessionAsync(this HttpClient client)
    {
        (int visits, string? setCookie) = await client.VisitAsync(null);
        Assert.Equal(1, visits);
        return setCookie!.Split(';')[0];
    }

    public static async Task<NodeBody[]> GetNodesAsync(this HttpClient client)
    {
        using HttpResponseMessage response = await client.GetAsync(new Uri("/api/cache/nodes", UriKind.Relative));
        await AssertStatusAsync(HttpStatusCode.OK, response);
        return (await response.Content.ReadFromJsonAsync<NodeBody[]>())!;
    }

    /// <summary>Looks at the nodes until they are as wanted, and runs a check between two looks.</summary>
    public static Task<NodeBody[]> WaitForNodesAsync(this HttpClient client, Func<NodeBody[], bool> wanted, Func<Task>? between = null)
        => Eventually.Get(
            async () =>
            {
                NodeBody[] nodes = await client.GetNodesAsync();
                await (wanted(nodes) || between is null ? Task.CompletedTask : between());
                return nodes;
            },
            wanted,
            "the nodes are as wanted");

    public static async Task AssertStatusAsync(HttpStatusCode expected, HttpResponseMessage response)
    {
        if (response.StatusCode != expected)
        {
            Assert.Fail(
                $"{response.RequestMessage?.RequestUri}: {(int)response.StatusCode} instead of {(int)expected}: {await response.Content.ReadAsStringAsync()}");
        }
    }
}

internal sealed record ProductBody(long Id, string Name, decimal Price, long Version);

internal sealed record VisitsBody(int Visits);

internal sealed record NodeBody(string Server, string State, string? Version, long Hits, long Misses, long Errors);
