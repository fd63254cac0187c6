using System.Diagnostics;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MemcachedDistributedCache.AspNetCore.Tests.HealthChecks;

public sealed class HealthCheckTests
{
    /// <summary>The first check opens the connections, on a machine that may be busy.</summary>
    private static readonly TimeSpan Patient = TimeSpan.FromSeconds(20);

    [MemcachedFact]
    public async Task It_is_healthy_degraded_and_unhealthy_as_the_servers_are_and_back()
    {
        MemcachedProcess[] servers = await OwnNodes.StartAsync();
        await using ServiceProvider provider = Provide(servers, static checks => checks
            .AddMemcached(timeout: Patient)
            .AddMemcached("quorum", HealthStatus.Degraded, timeout: Patient, quorum: 3)
            .AddMemcached("two", tags: ["two"], timeout: Patient, quorum: 2));
        HealthReport report = await CheckAsync(provider);
        Assert.Equal("memcached Healthy, quorum Healthy, two Healthy", Statuses(report));
        Assert.Empty((string[])report.Entries["memcached"].Data["down"]);
        Assert.All(servers, server => Assert.Contains(" ms", (string)report.Entries["memcached"].Data[server.Server], StringComparison.Ordinal));

        // The first check after the kill may be the one that finds it out.
        await servers[1].KillAsync();
        report = await CheckAsync(provider);
        Assert.Equal("memcached Degraded, quorum Degraded, two Degraded", Statuses(report));
        Assert.Equal([servers[1].Server], (string[])report.Entries["memcached"].Data["down"]);
        Assert.Contains(servers[1].Server, report.Entries["memcached"].Description, StringComparison.Ordinal);
        Assert.Equal(2, report.Entries["memcached"].Data["answering"]);

        await servers[0].KillAsync();
        Assert.Equal("memcached Degraded, quorum Degraded, two Unhealthy", Statuses(await CheckAsync(provider)));
        await servers[2].KillAsync();
        Assert.Equal("memcached Unhealthy, quorum Degraded, two Unhealthy", Statuses(await CheckAsync(provider)));

        await Task.WhenAll(servers.Select(static server => server.StartAgainAsync()));
        await Eventually.True(() => CheckAsync(provider).Result.Status == HealthStatus.Healthy, "all is healthy again");
        foreach (MemcachedProcess server in servers)
        {
            await server.DisposeAsync();
        }
    }

    [MemcachedFact]
    public async Task A_server_that_hangs_is_waited_for_no_longer_than_said()
    {
        MemcachedProcess[] servers = await OwnNodes.StartAsync();
        await using ServiceProvider provider = Provide(servers, static checks => checks.AddMemcached(timeout: TimeSpan.FromSeconds(1.5))); // which those that are well need not, however busy the machine
        await Eventually.True(() => CheckAsync(provider).Result.Status == HealthStatus.Healthy, "the connections are open");
        servers[2].Freeze();
        long started = Stopwatch.GetTimestamp();
        HealthReport report = await CheckAsync(provider);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.FromSeconds(1.2), TimeSpan.FromSeconds(5));
        Assert.Equal(HealthStatus.Degraded, report.Status);
        Assert.Equal("TimedOut", report.Entries["memcached"].Data[servers[2].Server]);
        servers[2].Thaw();
        await Eventually.True(() => CheckAsync(provider).Result.Status == HealthStatus.Healthy, "all is healthy again");
        foreach (MemcachedProcess server in servers)
        {
            await server.DisposeAsync();
        }
    }

    [MemcachedFact]
    public async Task Each_registration_asks_its_own_cache()
    {
        await using MemcachedProcess one = await MemcachedProcess.StartAsync();
        await using MemcachedProcess other = await MemcachedProcess.StartAsync();
        await using ServiceProvider provider = Provide(
            [one],
            static checks => checks.AddMemcached(timeout: Patient).AddMemcached("reports", timeout: Patient, serviceKey: "reports"),
            services => services.AddKeyedMemcachedDistributedCache("reports", other.Server));
        await other.KillAsync();
        Assert.Equal("memcached Healthy, reports Unhealthy", Statuses(await CheckAsync(provider)));
    }

    private static ServiceProvider Provide(MemcachedProcess[] servers, Action<IHealthChecksBuilder> add, Action<IServiceCollection>? configure = null)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddMemcachedDistributedCache(options =>
        {
            options.Servers = [.. servers.Select(static server => server.Server)];
            options.OperationTimeout = TimeSpan.FromSeconds(20);
        });
        configure?.Invoke(services);
        add(services.AddHealthChecks());
        return services.BuildServiceProvider();
    }

    private static Task<HealthReport> CheckAsync(IServiceProvider provider)
        => provider.GetRequiredService<HealthCheckService>().CheckHealthAsync().WaitAsync(Eventually.Limit);

    private static string Statuses(HealthReport report) => string.Join(", ", report.Entries.Select(static entry => $"{entry.Key} {entry.Value.Status}"));
}
