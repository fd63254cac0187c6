using System.Collections.Concurrent;
using System.Text;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.WebTests;

/// <summary>
/// The sample's export, received by a collector of the test's own (OTLP over HTTP; names stand in the protobuf as they
/// are). Nothing runs beside: OpenTelemetry listens to all meters of a name in the process, takes equal instruments of
/// two for one stream, and ends that stream with the first application that ends.
/// </summary>
[Collection(nameof(TelemetryTests))]
[CollectionDefinition(nameof(TelemetryTests), DisableParallelization = true)]
public sealed class TelemetryTests
{
    [MemcachedFact]
    public async Task With_an_endpoint_metrics_and_traces_are_exported()
    {
        await using var collector = await Collector.StartAsync();
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp(
            null,
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Address),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
            ("OTEL_BSP_SCHEDULE_DELAY", "200"));
        using HttpClient client = app.NewClient();
        Assert.Equal("MISS", (await client.GetProductAsync(1)).Cache);
        Assert.Equal("L1", (await client.GetProductAsync(1)).Cache);

        string node = cluster.Nodes[0].EndPoint.Address.ToString();
        await collector.ReceivesAsync("/v1/metrics", "MemcachedDistributedCache", "db.client.operation.duration", "memcached.client.hits", "memcached.server.items", "http.server.request.duration", "server.address", node);
        await collector.ReceivesAsync("/v1/traces", "MemcachedDistributedCache", "lease " + node, "set " + node, "db.system.name", "Microsoft.AspNetCore");
        Assert.DoesNotContain(collector.Bodies, body => body.Text.Contains("webapi:", StringComparison.Ordinal));
    }

    [MemcachedFact]
    public async Task An_endpoint_that_nobody_serves_changes_nothing()
    {
        await using SampleCluster cluster = await SampleCluster.StartAsync();
        SampleApp app = cluster.NewApp(null, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_METRIC_EXPORT_INTERVAL", "100"));
        using HttpClient client = app.NewClient();
        Assert.Equal("MISS", (await client.GetProductAsync(1)).Cache);
        Assert.Equal("L1", (await client.GetProductAsync(1)).Cache);
    }

    private sealed class Collector(WebApplication app) : IAsyncDisposable
    {
        public ConcurrentQueue<(string Path, string Text)> Bodies { get; } = new();

        public string Address => app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

        public static async Task<Collector> StartAsync()
        {
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            WebApplication app = builder.Build();
            app.Urls.Add("http://127.0.0.1:0");
            var collector = new Collector(app);
            app.MapPost("/{**path}", collector.TakeAsync);
            await app.StartAsync();
            return collector;
        }

        public Task<string[]> ReceivesAsync(string path, params string[] texts) => Eventually.Get(
            () => Task.FromResult(texts.Where(text => !Bodies.Any(body => body.Path == path && body.Text.Contains(text, StringComparison.Ordinal))).ToArray()),
            static missing => missing.Length == 0,
            $"all is received at {path}; the answer is what is missing");

        public ValueTask DisposeAsync() => app.DisposeAsync();

        private async Task TakeAsync(HttpContext context)
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            Bodies.Enqueue((context.Request.Path, Encoding.Latin1.GetString(body.ToArray())));
        }
    }
}
