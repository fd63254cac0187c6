using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.AspNetCore.Tests.Warmup;

public sealed class WarmupTests : IDisposable
{
    private readonly RecordingLogger _log = new();
    private readonly TaskCompletionSource _gate = new();
    private int _running;
    private int _most;
    private int _filled;

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task Items_are_filled_with_bounded_parallelism_and_readiness_waits_for_them()
    {
        using IHost host = Start(services => services.AddMemcachedWarmup("numbers", Numbers(50), FillAsync, static options => options.MaximumParallelism = 3));
        Assert.Equal((HealthStatus.Unhealthy, "Not warmed up: numbers."), await HealthAsync(host));
        await host.StartAsync();
        await Eventually.True(() => Volatile.Read(ref _running) == 3, "three run at a time");
        Assert.Equal((HealthStatus.Unhealthy, "Not warmed up: numbers."), await HealthAsync(host));
        _gate.SetResult();
        await Eventually.True(async () => (await HealthAsync(host)).Status == HealthStatus.Healthy, "all are filled");
        Assert.Equal((50, 3), (_filled, _most));
        Assert.Equal([4200, 4202], _log.Ids.Where(static id => id >= 4200));
        Assert.Equal(1, _log.Count("50 items filled, 0 failed"));
        await host.StopAsync();
    }

    [Fact]
    public async Task Items_that_fail_are_counted_logged_once_and_keep_nobody_from_being_ready()
    {
        using IHost host = Start(services => services.AddMemcachedWarmup("numbers", Numbers(20), static (number, _, _) => number % 2 == 0
            ? throw new InvalidOperationException("even")
            : ValueTask.CompletedTask));
        Meter meter = host.Services.GetRequiredService<IMeterFactory>().Create(
            new MeterOptions(MemcachedTelemetry.MeterName) { Version = typeof(MemcachedCache).Assembly.GetName().Version!.ToString(3) });
        using var collector = new MetricCollector<long>(meter, "memcached.warmup.items");
        await host.StartAsync();
        await Eventually.True(async () => (await HealthAsync(host)).Status == HealthStatus.Healthy, "it has ended");
        Assert.Single(_log.Of(4203));
        Assert.Equal(1, _log.Count("10 items filled, 10 failed"));
        Assert.Equal(
            [("failed", 10), ("filled", 10)],
            collector.GetMeasurementSnapshot()
                .Select(static one => (Name: (string)one.Tags["memcached.warmup.name"]!, Outcome: (string)one.Tags["memcached.warmup.outcome"]!))
                .Where(static one => one.Name == "numbers")
                .CountBy(static one => one.Outcome)
                .OrderBy(static one => one.Key, StringComparer.Ordinal)
                .Select(static one => (one.Key, one.Value)));
    }

    [Fact]
    public async Task More_failures_than_may_be_give_it_up_and_the_application_runs_on()
    {
        using IHost host = Start(services => services.AddMemcachedWarmup(
            "numbers",
            Numbers(int.MaxValue),
            static (_, _, _) => throw new InvalidOperationException("never"),
            static options => options.MaximumFailures = 5));
        await host.StartAsync();
        await Eventually.True(() => _log.Of(4204).Count == 1, "it is given up");
        Assert.Contains("MaximumFailures, 5, have failed", _log.Of(4204)[0], StringComparison.Ordinal);
        Assert.Equal(HealthStatus.Unhealthy, (await HealthAsync(host)).Status);
        Assert.False(host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_list_of_items_that_fails_is_told_and_degrades(bool atOnce)
    {
        using IHost host = Start(services => services.AddMemcachedWarmup<int>(
            "numbers",
            (_, token) => atOnce ? throw new InvalidOperationException("no list") : FailingAsync(token),
            static (_, _, _) => ValueTask.CompletedTask));
        await host.StartAsync();
        await Eventually.True(() => _log.Of(4204).Count == 1, "it is given up");
        Assert.Equal((HealthStatus.Degraded, "Not warmed up, and not waited for: numbers."), await HealthAsync(host));
    }

    [Fact]
    public async Task The_end_of_the_application_ends_it_silently()
    {
        using IHost host = Start(services => services.AddMemcachedWarmup("numbers", Numbers(10), FillAsync));
        await host.StartAsync();
        await Eventually.True(() => Volatile.Read(ref _running) > 0, "it runs");
        await host.StopAsync().WaitAsync(Eventually.Limit);
        Assert.Equal([4200], _log.Ids.Where(static id => id >= 4200));
        Assert.Equal(0, _filled);
    }

    [Fact]
    public async Task Readiness_waits_no_longer_than_said()
    {
        using IHost host = Start(
            services => services.AddMemcachedWarmup("numbers", Numbers(10), FillAsync),
            limit: TimeSpan.FromMilliseconds(1));
        await host.StartAsync();
        await Eventually.True(async () => (await HealthAsync(host)).Status == HealthStatus.Degraded, "the limit is over");
        _gate.SetResult();
        await Eventually.True(async () => (await HealthAsync(host)).Status == HealthStatus.Healthy, "it has ended");
    }

    [Fact]
    public async Task Several_warm_ups_have_scopes_of_their_own_and_readiness_waits_for_all()
    {
        int scopes = 0;
        using IHost host = Start(services => services
            .AddScoped(_ => new Scoped(Interlocked.Increment(ref scopes)))
            .AddMemcachedWarmup("one", Numbers(3), static (_, provider, _) =>
            {
                _ = provider.GetRequiredService<Scoped>();
                return ValueTask.CompletedTask;
            })
            .AddMemcachedWarmup("two", Numbers(1), FillAsync));
        await host.StartAsync();
        await Eventually.True(async () => (await HealthAsync(host)).Description == "Not warmed up: two.", "one has ended");
        Assert.Equal(3, scopes);
        _gate.SetResult();
        await Eventually.True(async () => (await HealthAsync(host)).Status == HealthStatus.Healthy, "both have ended");
    }

    [Fact]
    public void Wrong_names_and_options_are_told()
    {
        var services = new ServiceCollection();
        services.AddMemcachedWarmup("numbers", Numbers(1), FillAsync);
        Assert.Contains("'numbers'", Assert.Throws<ArgumentException>("name", () => services.AddMemcachedWarmup("numbers", Numbers(1), FillAsync)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>("name", () => services.AddMemcachedWarmup("", Numbers(1), FillAsync));
        OptionsValidationException thrown = Assert.Throws<OptionsValidationException>(() => services.AddMemcachedWarmup("other", Numbers(1), FillAsync, static options =>
        {
            options.MaximumParallelism = 0;
            options.MaximumFailures = -1;
        }));
        Assert.Equal(2, thrown.Failures.Count());
        Assert.Throws<ArgumentOutOfRangeException>("limit", () => new ServiceCollection().AddHealthChecks().AddMemcachedWarmup(limit: TimeSpan.Zero));
    }

    [Fact]
    public async Task A_check_without_a_warm_up_names_the_remedy()
    {
        using IHost host = Start(static _ => { });
        InvalidOperationException thrown = await Assert.ThrowsAsync<InvalidOperationException>(() => HealthAsync(host));
        Assert.Contains("AddMemcachedWarmup", thrown.Message, StringComparison.Ordinal);
    }

    private static Func<IServiceProvider, CancellationToken, IAsyncEnumerable<int>> Numbers(int count) => (_, token) => CountAsync(count, token);

    private static async IAsyncEnumerable<int> CountAsync(int count, [EnumeratorCancellation] CancellationToken token)
    {
        for (int i = 0; i < count; i++)
        {
            token.ThrowIfCancellationRequested();
            await Task.Yield();
            yield return i;
        }
    }

    private static async IAsyncEnumerable<int> FailingAsync([EnumeratorCancellation] CancellationToken token)
    {
        await Task.Yield();
        token.ThrowIfCancellationRequested();
        yield return 1;
        throw new InvalidOperationException("no more");
    }

    private static async Task<(HealthStatus Status, string? Description)> HealthAsync(IHost host)
    {
        HealthReport report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        HealthReportEntry entry = report.Entries["memcached-warmup"];
        return (entry.Status, entry.Description);
    }

    private async ValueTask FillAsync(int item, IServiceProvider services, CancellationToken token)
    {
        int running = Interlocked.Increment(ref _running);
        InterlockedMax(running);
        try
        {
            await _gate.Task.WaitAsync(token);
            await Task.Yield();
            Interlocked.Increment(ref _filled);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    private void InterlockedMax(int value)
    {
        int seen;
        while ((seen = Volatile.Read(ref _most)) < value && Interlocked.CompareExchange(ref _most, value, seen) != seen)
        {
        }
    }

    private IHost Start(Action<IServiceCollection> configure, TimeSpan? limit = null)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(_log);
        builder.Services.AddMetrics();
        builder.Services.AddHealthChecks().AddMemcachedWarmup(limit: limit);
        configure(builder.Services);
        return builder.Build();
    }

    private sealed record Scoped(int Number);
}
