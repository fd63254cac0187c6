using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests.Telemetry;

/// <summary>Each instrument moves as its name says, on real servers.</summary>
public sealed class MetricTests
{
    private static readonly DistributedCacheEntryOptions Default = new();
    private static readonly DistributedCacheEntryOptions Sliding = new() { SlidingExpiration = TimeSpan.FromMinutes(5) };

    [MemcachedFact]
    public async Task Every_kind_of_request_is_timed_with_its_node_and_outcome()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        using var metrics = new MetricRecorder();
        await using MemcachedCache cache = Watched.On(metrics, server.Server);
        string[] node = [.. Watched.TagsOf(server), "db.system.name=memcached"];
        await cache.SetAsync("a", [1], Default);
        cache.Set("b", [1], Sliding);
        await cache.GetAsync("a");
        cache.Get("a");
        await cache.GetAsync("missing");
        await cache.RefreshAsync("a");
        await cache.RemoveAsync("a");
        cache.Remove("a");
        await cache.QuietAsync();

        Assert.Equal(2, metrics.Durations([.. node, "db.operation.name=set", "memcached.outcome=success"]));
        Assert.Equal(2, metrics.Durations([.. node, "db.operation.name=get", "memcached.outcome=success"]));
        Assert.Equal(1, metrics.Durations([.. node, "db.operation.name=get", "memcached.outcome=miss"]));
        Assert.Equal(1, metrics.Durations([.. node, "db.operation.name=inspect", "memcached.outcome=success"]));
        Assert.Equal(1, metrics.Durations([.. node, "db.operation.name=delete", "memcached.outcome=success"]));
        Assert.Equal(1, metrics.Durations([.. node, "db.operation.name=delete", "memcached.outcome=miss"]));
        Assert.All(metrics.Points("db.client.operation.duration"), point =>
        {
            Assert.InRange(point.Value, 0.000_001, Eventually.Limit.TotalSeconds);
            Assert.DoesNotContain("error.type", point.Tags, StringComparison.Ordinal);
        });
        Assert.Equal(2, metrics.Sum("memcached.client.hits", node[..2]));
        Assert.Equal(1, metrics.Sum("memcached.client.misses", node[..2]));
        Assert.Equal(0, metrics.Sum("memcached.client.errors"));
    }

    [MemcachedFact]
    public async Task Bytes_are_those_that_went_over_the_line()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        using var metrics = new MetricRecorder("memcached.client.network.io", "memcached.client.connection.count");
        await using MemcachedCache cache = Watched.On(metrics, proxy.Server);
        await cache.SetAsync("first", new byte[100_000], Sliding);
        await Eventually.True(
            () =>
            {
                // So that large values have their connection, and its handshake is over: what is no request or reply is not counted.
                cache.GetAsync("first").GetAwaiter().GetResult();
                return metrics.Sum("memcached.client.connection.count") == 2;
            },
            "both connections are open");
        await cache.QuietAsync();
        (long out0, long in0) = (proxy.BytesToServer, proxy.BytesToClient);
        double sent0 = metrics.Sum("memcached.client.network.io", "network.io.direction=transmit");
        double received0 = metrics.Sum("memcached.client.network.io", "network.io.direction=receive");
        foreach (int size in (int[])[0, 10, 100_000, 900_000])
        {
            await cache.SetAsync("key", new byte[size], Sliding);
            Assert.Equal(size, (await cache.GetAsync("key"))!.Length);
        }

        Assert.Null(await cache.GetAsync("missing"));
        await cache.QuietAsync();

        // The proxy counts what it has passed on, which the client may have counted before.
        await Eventually.True(
            () => (metrics.Sum("memcached.client.network.io", "network.io.direction=transmit") - sent0).Equals((double)(proxy.BytesToServer - out0)),
            "both have counted the same bytes (transmit)");
        await Eventually.True(
            () => (metrics.Sum("memcached.client.network.io", "network.io.direction=receive") - received0).Equals((double)(proxy.BytesToClient - in0)),
            "both have counted the same bytes (receive)");
        Assert.True(proxy.BytesToServer - out0 > 1_000_000);
    }

    [MemcachedFact]
    public async Task What_waits_is_counted_and_a_cancelled_or_late_request_says_so()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        using var metrics = new MetricRecorder();
        await using MemcachedCache cache = Watched.On(metrics, proxy.Server, options =>
        {
            options.OperationTimeout = TimeSpan.FromSeconds(1);
            options.MaximumPendingOperations = 8;
        });
        await cache.GetAsync("key");
        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        using var cancel = new CancellationTokenSource();
        Task<byte[]?>[] waiting = [.. Enumerable.Range(0, 8).Select(_ => cache.GetAsync("key", cancel.Token))];
        Assert.Equal(8, metrics.Sum("memcached.client.pending_requests"));
        Assert.Null(await cache.GetAsync("key"));
        Assert.Equal(1, metrics.Sum("memcached.client.errors", "error.type=overloaded"));
        await cancel.CancelAsync();
        foreach (Task<byte[]?> task in waiting)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
        }

        Assert.Equal(8, metrics.Sum("memcached.client.pending_requests"));
        await proxy.ApplyAsync(Fault.None);
        await Eventually.True(() => metrics.Sum("memcached.client.pending_requests") == 0, "nothing is pending");

        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        Assert.Null(await cache.GetAsync("key"));
        Assert.Equal(1, metrics.Sum("memcached.client.errors", "error.type=timeout"));
        await proxy.ApplyAsync(Fault.None);
    }

    [MemcachedFact]
    public async Task Failed_requests_are_timed_with_the_kind_of_their_failure()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        using var metrics = new MetricRecorder("db.client.operation.duration");
        await using MemcachedCache cache = Watched.On(metrics, proxy.Server, options =>
        {
            options.OperationTimeout = TimeSpan.FromSeconds(1);
            options.MaximumPendingOperations = 1;
        });
        await cache.GetAsync("key");
        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        using (var cancel = new CancellationTokenSource())
        {
            Task<byte[]?> read = cache.GetAsync("key", cancel.Token);
            Assert.Null(await cache.GetAsync("key"));
            Assert.Equal(1, metrics.Durations("error.type=overloaded", "memcached.outcome=error", "db.operation.name=get"));
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
            Assert.Equal(1, metrics.Durations("memcached.outcome=canceled"));
        }

        await proxy.ApplyAsync(Fault.None);
        await cache.QuietAsync();
        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        Assert.Null(await Task.Run(() => cache.Get("key")));
        Assert.Null(await cache.GetAsync("key"));
        Assert.Equal(2, metrics.Durations("error.type=timeout", "memcached.outcome=error"));
        Assert.All(
            metrics.Points("db.client.operation.duration").Where(point => point.Tags.Contains("timeout", StringComparison.Ordinal)),
            point => Assert.InRange(point.Value, 0.8, 20));

        await proxy.ApplyAsync(Fault.None);
        await cache.QuietAsync();
        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        Task<byte[]?> lost = cache.GetAsync("key");
        proxy.DropConnections(reset: true);
        Assert.Null(await lost);
        Assert.Equal(1, metrics.Durations("error.type=connection_lost"));
        await proxy.ApplyAsync(Fault.Refuse);
        proxy.DropConnections(reset: true);
        await Eventually.True(
            () =>
            {
                _ = cache.GetAsync("key");
                return cache.GetNodes()[0].State == MemcachedNodeState.Down;
            },
            "the node is down");
        await cache.RemoveAsync("key");
        Assert.Equal(1, metrics.Durations("error.type=unavailable", "db.operation.name=delete"));
    }

    [MemcachedFact]
    public async Task An_outage_shows_in_connections_states_errors_and_uncertain_keys()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        using var metrics = new MetricRecorder();
        await using MemcachedCache cache = Watched.On(metrics, server.Server);
        await cache.GetAsync("key");
        Assert.Equal(1, metrics.Sum("memcached.client.node.state", "memcached.node.state=up"));
        Assert.Equal(1, metrics.Sum("memcached.client.node.state"));
        Assert.Equal(1, metrics.Sum("memcached.client.connection.count"));
        Assert.Equal(1, metrics.Sum("memcached.client.connection.opened"));
        cache.Get("key");
        Assert.Equal(2, metrics.Sum("memcached.client.connection.count"));
        Assert.Equal(2, metrics.Sum("memcached.client.connection.opened"));
        Assert.Equal(0, metrics.Sum("memcached.client.connection.ended"));

        await server.KillAsync();
        await Eventually.True(() => metrics.Sum("memcached.client.node.state", "memcached.node.state=down") == 1, "the node is down");
        Assert.Equal(1, metrics.Sum("memcached.client.node.state"));
        Assert.Equal(1, metrics.Sum("memcached.client.node.state_changes", "memcached.node.state=down"));
        await Eventually.True(() => metrics.Sum("memcached.client.connection.count") == 0, "no connection is open");
        await Eventually.True(
            () =>
                metrics.Sum("memcached.client.connection.ended", "memcached.connection.end_reason=closed_by_server")
                    + metrics.Sum("memcached.client.connection.ended", "memcached.connection.end_reason=socket_error")
                == 2,
            "both connections were ended by the server's death");
        await Eventually.True(
            () => metrics.Sum("memcached.client.connection.ended", "memcached.connection.end_reason=connect_failed") > 0,
            "it is tried again");
        await cache.RemoveAsync("key");
        await cache.SetAsync("other", [1], Default);
        Assert.Equal(2, metrics.Sum("memcached.client.errors", "error.type=unavailable"));
        Assert.Equal(2, metrics.Sum("memcached.client.uncertain_keys.count"));
        Assert.Equal(2, metrics.Sum("memcached.client.uncertain_keys.recorded"));
        Assert.Equal(0, metrics.Sum("memcached.client.uncertain_keys.replayed"));

        await server.StartAgainAsync();
        await cache.ReadableAsync();
        await Eventually.True(() => metrics.Sum("memcached.client.uncertain_keys.replayed") == 2, "both keys are replayed");
        Assert.Equal(0, metrics.Sum("memcached.client.uncertain_keys.count"));
        Assert.Equal(2, metrics.Sum("memcached.client.node.state_changes", "memcached.node.state=up"));
        Assert.Equal(1, metrics.Sum("memcached.client.node.state", "memcached.node.state=up"));
        Assert.Equal(1, metrics.Sum("memcached.client.connection.count"));
    }

    [MemcachedFact]
    public async Task Values_that_are_too_large_are_counted()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        using var metrics = new MetricRecorder();
        await using MemcachedCache cache = Watched.On(metrics, server.Server, options => options.OversizeBehavior = MemcachedOversizeBehavior.Skip);
        await cache.SetAsync("key", new byte[10], Default);
        Assert.Equal(0, metrics.Sum("memcached.client.oversize_rejections"));
        await cache.SetAsync("key", new byte[2 * 1024 * 1024], Default);
        cache.Set("key", new byte[2 * 1024 * 1024], Default);
        Assert.Equal(2, metrics.Sum("memcached.client.oversize_rejections", Watched.TagsOf(server)));
    }

    [MemcachedFact]
    public async Task A_server_without_memory_is_an_error_of_its_own()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync("-m", "2", "-M");
        using var metrics = new MetricRecorder();
        await using MemcachedCache cache = Watched.On(metrics, server.Server);
        int timed = 0;
        for (int i = 0; i < 100 && timed == 0; i++)
        {
            await cache.SetAsync("key" + i, new byte[300_000], Default);
            timed = metrics.Durations("error.type=out_of_memory", "db.operation.name=set");
        }

        Assert.Equal(1, timed);
        Assert.Equal(1, metrics.Sum("memcached.client.errors", "error.type=out_of_memory"));
    }

    [MemcachedFact]
    public async Task Caches_of_one_process_on_one_server_are_added_up_and_named_ones_stand_apart()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        using var metrics = new MetricRecorder();
        await using MemcachedCache first = Watched.On(metrics, server.Server);
        await using MemcachedCache second = Watched.On(metrics, server.Server);
        await using MemcachedCache named = Watched.On(metrics, server.Server, name: "sessions");
        await first.GetAsync("key");
        await second.GetAsync("key");
        await named.GetAsync("key");
        Assert.Equal([1, 2], metrics.Points("memcached.client.misses").Select(point => point.Value).Order());
        Assert.Equal(1, metrics.Sum("memcached.client.misses", "memcached.cache.name=sessions"));
        Assert.Equal(2, metrics.Points("memcached.client.node.state").Count(point => point.Value == 1));
        Assert.Equal(2, metrics.Points("memcached.client.connection.count").Count);

        await second.DisposeAsync();
        Assert.Equal([1, 1], metrics.Points("memcached.client.misses").Select(point => point.Value));
        await first.DisposeAsync();
        await named.DisposeAsync();
        Assert.Empty(metrics.Points("memcached.client.misses"));
    }
}
