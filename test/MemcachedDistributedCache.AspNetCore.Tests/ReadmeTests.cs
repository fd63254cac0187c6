using System.Net;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AspNetCore.Tests;

/// <summary>Runs what README.md says, as written: the marked lines stand there, and here they run.</summary>
public sealed class ReadmeTests
{
    private int _made;

    [MemcachedFact]
    public async Task The_quick_start_runs_as_written()
    {
        MemcachedProcess[] servers = await OwnNodes.StartAsync();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();

        // <health>
        builder.Services.AddHealthChecks()
            .AddMemcached(tags: ["ready"], timeout: TimeSpan.FromSeconds(2), quorum: 2);
        // </health>

        builder.Services.AddSingleton<ProductStore>();
        builder.Services.AddMemcachedHybridCache("mc1:11211,mc2:11211,mc3:11211");

        // Names that are not there; the options set later replace them by what the test started.
        builder.Services.PostConfigure<MemcachedCacheOptions>(options => options.Servers = [.. servers.Select(static server => server.Server)]);

        // <output>
        builder.Services.AddMemcachedDistributedCache("mc1:11211,mc2:11211,mc3:11211");
        builder.Services.AddMemcachedOutputCache();

        WebApplication app = builder.Build();
        app.UseOutputCache();

        app.MapGet("/report", (string? category) => MakeReport(category))
            .CacheOutput(policy => policy.Expire(TimeSpan.FromMinutes(5)).SetVaryByQuery("category").Tag("prices"));

        app.MapPost("/reprice", async (IOutputCacheStore pages, CancellationToken token) =>
        {
            ChangePrices();
            await pages.EvictByTagAsync("prices", token);
        });
        // </output>

        // <map>
        app.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false });
        app.MapHealthChecks("/health/ready", new HealthCheckOptions { Predicate = check => check.Tags.Contains("ready") });
        // </map>

        // <hybrid>
        app.MapGet("/products/{id}", async (long id, HybridCache cache, ProductStore store, CancellationToken token) =>
        {
            Product? product = await cache.GetOrCreateAsync(
                $"product:{id}", (store, id), static async (s, token) => await s.store.FindAsync(s.id, token), tags: ["products"], cancellationToken: token);
            return product is null ? Results.NotFound() : Results.Ok(product);
        });
        // </hybrid>

        await app.StartAsync();
        using HttpClient client = app.GetTestClient();
        string report = await client.GetStringAsync(new Uri("/report?category=a", UriKind.Relative));
        Assert.Equal(report, await client.GetStringAsync(new Uri("/report?category=a&b=1", UriKind.Relative)));
        Assert.NotEqual(report, await client.GetStringAsync(new Uri("/report?category=b", UriKind.Relative)));
        using HttpResponseMessage repriced = await client.PostAsync(new Uri("/reprice", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.OK, repriced.StatusCode);
        Assert.NotEqual(report, await client.GetStringAsync(new Uri("/report?category=a", UriKind.Relative)));
        Assert.Equal("{\"id\":1,\"name\":\"Cup\"}", await client.GetStringAsync(new Uri("/products/1", UriKind.Relative)));
        using HttpResponseMessage unknown = await client.GetAsync(new Uri("/products/2", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        foreach (string path in (string[])["/health/live", "/health/ready"])
        {
            using HttpResponseMessage health = await client.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal((HttpStatusCode.OK, "Healthy"), (health.StatusCode, await health.Content.ReadAsStringAsync()));
        }

        await app.DisposeAsync();
        foreach (MemcachedProcess server in servers)
        {
            await server.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("output")]
    [InlineData("health")]
    [InlineData("map")]
    [InlineData("hybrid")]
    public void README_has_the_lines_that_run_here(string part)
    {
        string[] source = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "ReadmeTests.source.txt"));
        IEnumerable<string> lines = source.SkipWhile(line => line.Trim() != $"// <{part}>").Skip(1).TakeWhile(line => line.Trim() != $"// </{part}>");
        string block = string.Join('\n', lines.Select(static line => line.Length > 8 ? line[8..] : ""));
        Assert.NotEmpty(block);
        string readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md")).ReplaceLineEndings("\n");
        Assert.Contains(block, readme, StringComparison.Ordinal);
    }

    private string MakeReport(string? category) => $"{category} {Interlocked.Increment(ref _made)}";

    private void ChangePrices() => Interlocked.Increment(ref _made);

    private sealed record Product(long Id, string Name);

    private sealed class ProductStore
    {
        private static readonly Product Cup = new(1, "Cup");

        public ValueTask<Product?> FindAsync(long id, CancellationToken token)
        {
            token.ThrowIfCancellationRequested();
            return ValueTask.FromResult(id == Cup.Id ? Cup : null);
        }
    }
}
