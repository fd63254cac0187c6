using System.Net;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.TestHost;
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

        await app.StartAsync();
        using HttpClient client = app.GetTestClient();
        string report = await client.GetStringAsync(new Uri("/report?category=a", UriKind.Relative));
        Assert.Equal(report, await client.GetStringAsync(new Uri("/report?category=a&b=1", UriKind.Relative)));
        Assert.NotEqual(report, await client.GetStringAsync(new Uri("/report?category=b", UriKind.Relative)));
        using HttpResponseMessage repriced = await client.PostAsync(new Uri("/reprice", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.OK, repriced.StatusCode);
        Assert.NotEqual(report, await client.GetStringAsync(new Uri("/report?category=a", UriKind.Relative)));
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
}
