using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Diagnostics;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using OpenTelemetry.Trace;
using OpenTelemetry;

namespace MemcachedDistributedCache.AspNetCore.Tests;

/// <summary>What a host of ASP.NET Core tells a listener.</summary>
public sealed class TelemetryTests(OwnNodes nodes) : IClassFixture<OwnNodes>
{
    [MemcachedFact]
    public async Task The_documents_sources_sample_the_spans_of_a_request()
    {
        (ActivityTraceId request, Activity[] spans) = await TraceAsync(static traces =>
            traces.AddSource(MemcachedTelemetry.ActivitySourceName).AddSource("Microsoft.AspNetCore"));
        Activity get = Assert.Single(
            spans,
            static span
                => span.Source.Name == MemcachedTelemetry.ActivitySourceName && span.DisplayName.StartsWith("get ", StringComparison.Ordinal));
        Activity parent = Assert.Single(spans, static span => span.Source.Name == "Microsoft.AspNetCore");
        Assert.Equal((request, parent.SpanId), (get.TraceId, get.ParentSpanId));
        Assert.Contains(
            "traces.AddSource(MemcachedTelemetry.ActivitySourceName).AddSource(\"Microsoft.AspNetCore\");",
            await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "observability.md")),
            StringComparison.Ordinal);
    }

    /// <summary>Why the document has two sources. Where this fails one day, one will do.</summary>
    [MemcachedFact]
    public async Task The_caches_source_alone_samples_nothing_within_a_request()
        => Assert.Empty((await TraceAsync(static traces => traces.AddSource(MemcachedTelemetry.ActivitySourceName))).Spans);

    [MemcachedFact]
    public async Task What_output_caching_does_is_published_on_the_caches_meter()
    {
        await using PageApp app = await PageApp.StartAsync(nodes.ConnectionString, static app =>
        {
            app.MapGet("/page", static () => "page").CacheOutput(static policy => policy.Tag("t"));
            app.MapGet("/large", static () => new string('x', 2 * 1024 * 1024)).CacheOutput();
        });
        await app.GetAsync("/page");
        await app.GetAsync("/page");
        await app.GetAsync("/large");
        await app.EvictAsync("t");
        await app.GetAsync("/page");
        Dictionary<string, long> counts = Collect(app.Services);
        Assert.Equal(
            [("damaged", 0), ("evicted", 1), ("failed", 0), ("hit", 1), ("miss", 3), ("outdated", 0), ("stored", 2), ("too_large", 1), ("too_many_tags", 0)],
            counts.Select(static one => (one.Key, one.Value)).OrderBy(static one => one.Key, StringComparer.Ordinal));
    }

    private static Dictionary<string, long> Collect(IServiceProvider services)
    {
        IMeterFactory factory = services.GetRequiredService<IMeterFactory>();
        Meter caches = factory.Create(
            new MeterOptions(MemcachedTelemetry.MeterName) { Version = typeof(MemcachedCache).Assembly.GetName().Version!.ToString(3) });
        using var collector = new MetricCollector<long>(caches, "memcached.output_cache.events");
        collector.RecordObservableInstruments();
        return collector.GetMeasurementSnapshot().ToDictionary(static one => (string)Assert.Single(one.Tags).Value!, static one => one.Value);
    }

    private async Task<(ActivityTraceId Request, Activity[] Spans)> TraceAsync(Action<TracerProviderBuilder> sources)
    {
        var spans = new Spans();
        TracerProviderBuilder builder = Sdk.CreateTracerProviderBuilder().AddProcessor(spans);
        sources(builder);
        using TracerProvider provider = builder.Build();
        ActivityTraceId request = default;
        await using PageApp app = await PageApp.StartAsync(nodes.ConnectionString, app => app.MapGet("/", async (HttpContext _, IDistributedCache cache) =>
        {
            request = Activity.Current?.TraceId ?? default;
            return await cache.GetStringAsync("key") ?? "nothing";
        }));
        Assert.Equal("nothing", await app.GetAsync("/"));

        // Of this request: the opening of connections has no parent, and is sampled for itself.
        Assert.NotEqual(default, request);
        return (request, [.. spans.Ended.Where(span => span.TraceId == request)]);
    }

    private sealed class Spans : BaseProcessor<Activity>
    {
        public ConcurrentQueue<Activity> Ended { get; } = [];

        public override void OnEnd(Activity data) => Ended.Enqueue(data);
    }
}
