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

/// <summary>Runs what README.md and the documents say, as written: the marked lines stand there, and here they run.</summary>
public sealed class ReadmeTests
{
    private int _made;

    private static readonly string[] Source = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "ReadmeTests.source.txt"));

    [MemcachedFact]
    public async Task The_program_of_the_README_runs_as_written()
    {
        MemcachedProcess[] servers = await OwnNodes.StartAsync();
        string[] args = ["--environment", "Production"];

        // <program>
        var builder = WebApplication.CreateBuilder(args);
        UseInTest(builder, servers);
        builder.Services.AddMemcachedHybridCache("127.0.0.1:11221,127.0.0.1:11222,127.0.0.1:11223");
        builder.Services.AddSession();
        builder.Services.AddMemcachedOutputCache();
        builder.Services.AddHealthChecks().AddMemcached();
        var app = builder.Build();
        app.MapGet("/square/{n}", (int n, HybridCache cache) => cache.GetOrCreateAsync($"square:{n}", async token =>
        {
            await Task.Delay(2000, token);   // the slow part: a query, a page, a price list
            return n * n;
        }));
        app.UseSession();
        app.MapGet("/visits", (HttpContext context) => { int n = (context.Session.GetInt32("n") ?? 0) + 1; context.Session.SetInt32("n", n); return n; });
        app.UseOutputCache();
        app.MapGet("/page", () => $"Page {Guid.NewGuid()}").CacheOutput(policy => policy.Expire(TimeSpan.FromMinutes(1)).Tag("pages"));
        app.MapHealthChecks("/health");
        app.MapPost("/likes/{id}", async (string id, IMemcachedClient client) => (await client.IncrementAsync($"likes:{id}", 1, initial: 1)).Value);
        // </program>

        await app.StartAsync();
        using HttpClient client = app.GetTestClient();
        Assert.Equal("144", await client.GetStringAsync(new Uri("/square/12", UriKind.Relative)));
        Assert.Equal(
            MemcachedHybridSource.LocalCache,
            (
                await app
                    .Services.GetRequiredService<MemcachedHybridCache>()
                    .GetOrCreateWithSourceAsync("square:12", 0, static (none, _) => ValueTask.FromResult(none))).Source);
        string page = await client.GetStringAsync(new Uri("/page", UriKind.Relative));
        Assert.Equal(page, await client.GetStringAsync(new Uri("/page", UriKind.Relative)));
        Assert.Equal("Healthy", await client.GetStringAsync(new Uri("/health", UriKind.Relative)));
        foreach (string likes in (string[])["1", "2"])
        {
            using HttpResponseMessage liked = await client.PostAsync(new Uri("/likes/7", UriKind.Relative), content: null);
            Assert.Equal(likes, await liked.Content.ReadAsStringAsync());
        }

        using HttpResponseMessage first = await client.GetAsync(new Uri("/visits", UriKind.Relative));
        using var second = new HttpRequestMessage(HttpMethod.Get, new Uri("/visits", UriKind.Relative));
        second.Headers.Add("Cookie", first.Headers.GetValues("Set-Cookie").Select(static cookie => cookie.Split(';')[0]));
        using HttpResponseMessage again = await client.SendAsync(second);
        Assert.Equal(("1", "2"), (await first.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync()));

        await app.DisposeAsync();
        foreach (MemcachedProcess server in servers)
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>Every line of code in README.md runs above; those of the program stand there in the same order.</summary>
    [Fact]
    public void README_has_the_program_that_runs_here()
    {
        string[] ran = [.. Part("program").Select(static line => line.Trim())];
        string[] blocks =
        [
            .. ReadDocument("README.md")
                .Split("```csharp\n")
                .Skip(1)
                .Select(static text => text[..text.IndexOf("```", StringComparison.Ordinal)]),
        ];
        Assert.Equal(5, blocks.Length);
        string[] program = [.. blocks[0].Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
        Assert.Equal("using Microsoft.Extensions.Caching.Hybrid;", program[0]);
        Assert.Equal("app.Run();", program[^1]);
        Assert.Equal(program[1..^1], ran.Where(line => program.Contains(line, StringComparer.Ordinal)));
        string[] others =
        [
            .. blocks[1..]
                .SelectMany(static block => block.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)),
        ];
        Assert.Equal(9, others.Length);
        Assert.Equal(
            others.Order(StringComparer.Ordinal),
            ran.Where(line => !program.Contains(line, StringComparer.Ordinal) && !line.StartsWith("UseInTest", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal));
    }

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
    [InlineData("output", "output-caching.md")]
    [InlineData("health", "health.md")]
    [InlineData("map", "health.md")]
    [InlineData("hybrid", "hybrid.md")]
    public void The_document_has_the_lines_that_run_here(string part, string document)
    {
        string block = string.Join('\n', Part(part).Select(static line => line.Length > 8 ? line[8..] : ""));
        Assert.NotEmpty(block);
        Assert.Contains(block, ReadDocument(document), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Part(string part)
        => Source.SkipWhile(line => line.Trim() != $"// <{part}>").Skip(1).TakeWhile(line => line.Trim() != $"// </{part}>");

    private static string ReadDocument(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, name)).ReplaceLineEndings("\n");

    /// <summary>The program names servers that are not there; the options set later replace them by what the test started.</summary>
    private static void UseInTest(WebApplicationBuilder builder, MemcachedProcess[] servers)
    {
        builder.WebHost.UseTestServer();
        builder.Services.PostConfigure<MemcachedCacheOptions>(options => options.Servers = [.. servers.Select(static server => server.Server)]);
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
