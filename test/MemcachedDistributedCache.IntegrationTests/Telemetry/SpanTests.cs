using System.Collections.Concurrent;
using System.Diagnostics;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests.Telemetry;

public sealed class SpanTests
{
    private const string Secret = "user-4711@example.com";

    [MemcachedFact]
    public async Task Each_request_is_a_client_span_of_its_caller_without_key_or_value()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Watched.On(null, server.Server, name: "sessions");
        using var spans = new SpanRecorder();
        using var outer = new Activity("request").Start();
        await cache.SetAsync(Secret, System.Text.Encoding.UTF8.GetBytes(Secret), new DistributedCacheEntryOptions());
        Assert.Same(outer, Activity.Current);
        await cache.GetAsync(Secret);
        cache.Get(Secret + "?");
        await Task.WhenAll(cache.GetAsync("a"), cache.GetAsync("b"));
        Assert.Same(outer, Activity.Current);

        Activity[] seen = [.. spans.Ended];
        string to = $"127.0.0.1:{server.EndPoint.Port}";
        Assert.Equal(["set " + to, "get " + to, "get " + to, "get " + to, "get " + to], seen.Select(span => span.DisplayName));
        Assert.All(seen, span =>
        {
            Assert.Equal(ActivityKind.Client, span.Kind);
            Assert.Equal(outer.SpanId, span.ParentSpanId);
            Assert.Equal(outer.TraceId, span.TraceId);
            Assert.Equal("memcached", span.GetTagItem("db.system.name"));
            Assert.Equal("127.0.0.1", span.GetTagItem("server.address"));
            Assert.Equal(server.EndPoint.Port, span.GetTagItem("server.port"));
            Assert.Equal("sessions", span.GetTagItem("memcached.cache.name"));
            Assert.Equal(ActivityStatusCode.Unset, span.Status);
            Assert.InRange(span.Duration, TimeSpan.FromTicks(1), Eventually.Limit);
            Assert.DoesNotContain(span.TagObjects, tag => $"{tag.Key}{tag.Value}".Contains("4711", StringComparison.Ordinal));
        });
        Assert.Equal(["success", "success", "miss", "miss", "miss"], seen.Select(span => span.GetTagItem("memcached.outcome")));
        Assert.Equal("set", seen[0].GetTagItem("db.operation.name"));
    }

    [MemcachedFact]
    public async Task A_failure_is_an_error_with_its_kind()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Watched.On(null, server.Server);
        await cache.GetAsync("key");
        await server.KillAsync();
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
        using var spans = new SpanRecorder();
        Assert.Null(await cache.GetAsync("key"));
        Activity span = Assert.Single(spans.Ended);
        Assert.Equal(ActivityStatusCode.Error, span.Status);
        Assert.Equal("unavailable", span.GetTagItem("error.type"));
        Assert.Equal("error", span.GetTagItem("memcached.outcome"));
        Assert.Null(Activity.Current);
    }

    [MemcachedFact]
    public async Task Listeners_that_throw_change_nothing()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        using var metrics = new MetricRecorder("db.client.operation.duration");
        await using MemcachedCache cache = Watched.On(metrics, server.Server, options => options.FailureMode = MemcachedFailureMode.Throw);
        int thrown = 0;
        metrics.Also = () => Throw(ref thrown);
        void ThrowIf(bool condition) => _ = condition ? Throw(ref thrown) : default;
        foreach (string where in (string[])["sample", "started", "stopped"])
        {
            using var outer = new Activity("request").Start();
            using var listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == MemcachedTelemetry.ActivitySourceName,
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => where == "sample" ? Throw(ref thrown) : ActivitySamplingResult.AllDataAndRecorded,
                ActivityStarted = _ => ThrowIf(where == "started"),
                ActivityStopped = _ => ThrowIf(where == "stopped"),
            };
            ActivitySource.AddActivityListener(listener);
            for (int i = 0; i < 10; i++)
            {
                await cache.SetAsync("key", [1], new DistributedCacheEntryOptions());
                Assert.Equal(new byte[] { 1 }, await cache.GetAsync("key"));
                Assert.Equal(new byte[] { 1 }, cache.Get("key"));
                Assert.Same(outer, Activity.Current);
            }
        }

        Assert.Equal(180, thrown);
        Assert.Equal(MemcachedNodeState.Up, cache.GetNodes()[0].State);
        Assert.Equal(0, cache.GetNodes()[0].Errors);
    }

    private static ActivitySamplingResult Throw(ref int count)
    {
        Interlocked.Increment(ref count);
        throw new InvalidOperationException("no listening today");
    }

    private sealed class SpanRecorder : IDisposable
    {
        private readonly ActivityListener _listener;

        public SpanRecorder()
        {
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == MemcachedTelemetry.ActivitySourceName,
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = Ended.Enqueue,
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public ConcurrentQueue<Activity> Ended { get; } = new();

        public void Dispose() => _listener.Dispose();
    }
}
