using MemcachedDistributedCache.AspNetCore.OutputCaching;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NSubstitute;

namespace MemcachedDistributedCache.AspNetCore.Tests;

public sealed class RegistrationTests
{
    private const string Servers = "127.0.0.1:1";

    [Fact]
    public void The_store_is_a_singleton_and_the_calls_chain()
    {
        var services = new ServiceCollection();
        Assert.Same(services, services.AddMemcachedOutputCache(Servers));
        Assert.Same(services, services.AddMemcachedOutputCache());
        Assert.Equal(ServiceLifetime.Singleton, services.Last(static service => service.ServiceType == typeof(IOutputCacheStore)).Lifetime);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void It_takes_the_place_of_any_other_store_with_and_without_logging(bool first, bool logging)
    {
        var services = new ServiceCollection();
        if (!first)
        {
            services.AddOutputCache();
            services.AddScoped(static _ => Substitute.For<IOutputCacheStore>());
        }

        services.AddMemcachedOutputCache();
        services.AddMemcachedOutputCache();
        services.AddMemcachedDistributedCache(Servers);
        if (first)
        {
            services.AddOutputCache();
        }

        if (logging)
        {
            services.AddLogging();
        }

        using ServiceProvider provider = services.BuildServiceProvider();
        IOutputCacheStore store = provider.GetRequiredService<IOutputCacheStore>();
        Assert.IsType<MemcachedOutputCacheStore>(store);
        Assert.IsAssignableFrom<IOutputCacheBufferStore>(store);
        Assert.Same(store, provider.GetRequiredService<IOutputCacheStore>());
    }

    [Fact]
    public void It_logs_to_the_factory_that_is_registered()
    {
        ILoggerFactory factory = Substitute.For<ILoggerFactory>();
        var services = new ServiceCollection();
        services.AddSingleton(factory);
        services.AddMemcachedOutputCache(Servers);
        using ServiceProvider provider = services.BuildServiceProvider();
        _ = provider.GetRequiredService<IOutputCacheStore>();
        factory.Received().CreateLogger(typeof(MemcachedOutputCacheStore).FullName!);
    }

    [Fact]
    public void A_connection_string_makes_a_cache_of_its_own_and_leaves_the_applications_alone()
    {
        var services = new ServiceCollection();
        services.AddMemcachedOutputCache("127.0.0.1:1,127.0.0.1:2");
        using ServiceProvider provider = services.BuildServiceProvider();
        _ = provider.GetRequiredService<IOutputCacheStore>();
        Assert.Null(provider.GetService<MemcachedCache>());
        Assert.Equal(2, provider.GetRequiredKeyedService<MemcachedCache>("MemcachedOutputCache").GetNodes().Count);
    }

    [Fact]
    public void A_missing_cache_is_named_with_its_remedy()
    {
        using ServiceProvider none = new ServiceCollection().AddMemcachedOutputCache().BuildServiceProvider();
        Assert.Contains(
            "AddMemcachedDistributedCache",
            Assert.Throws<InvalidOperationException>(() => none.GetRequiredService<IOutputCacheStore>()).Message,
            StringComparison.Ordinal);
        using ServiceProvider keyed = new ServiceCollection()
            .AddMemcachedOutputCache(static options => options.ServiceKey = "pages")
            .BuildServiceProvider();
        Assert.Contains(
            "'pages'",
            Assert.Throws<InvalidOperationException>(() => keyed.GetRequiredService<IOutputCacheStore>()).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "00:00:01", "ServiceKey")]
    [InlineData(null, "-00:00:01", "ClockTolerance")]
    [InlineData(null, "00:01:01", "ClockTolerance")]
    public void A_wrong_option_is_named(string? serviceKey, string tolerance, string name)
    {
        var services = new ServiceCollection();
        services.AddMemcachedOutputCache(options =>
        {
            options.ServiceKey = serviceKey;
            options.ClockTolerance = TimeSpan.Parse(tolerance);
        });
        using ServiceProvider provider = services.BuildServiceProvider();
        OptionsValidationException thrown = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<IOutputCacheStore>());
        Assert.Contains(name, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_health_check_has_the_name_status_and_tags_of_its_registration()
    {
        var services = new ServiceCollection();
        services.AddMemcachedDistributedCache(Servers);
        services.AddHealthChecks()
            .AddMemcached()
            .AddMemcached("reports", HealthStatus.Degraded, ["ready"], TimeSpan.FromMilliseconds(100), quorum: 2, serviceKey: "reports");
        using ServiceProvider provider = services.BuildServiceProvider();
        HealthCheckRegistration[] checks = [.. provider.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations];
        Assert.Equal(
            [("memcached", HealthStatus.Unhealthy, ""), ("reports", HealthStatus.Degraded, "ready")],
            checks.Select(static check => (check.Name, check.FailureStatus, string.Join(',', check.Tags))));
        Assert.Contains(
            "'reports'",
            Assert.Throws<InvalidOperationException>(() => checks[1].Factory(provider)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_health_check_refuses_what_is_out_of_range()
    {
        IHealthChecksBuilder builder = new ServiceCollection().AddHealthChecks();
        Assert.ThrowsAny<ArgumentException>(() => builder.AddMemcached(""));
        Assert.ThrowsAny<ArgumentException>(() => builder.AddMemcached(serviceKey: ""));
        Assert.Throws<ArgumentOutOfRangeException>("quorum", () => builder.AddMemcached(quorum: 0));
        Assert.Throws<ArgumentOutOfRangeException>("timeout", () => builder.AddMemcached(timeout: TimeSpan.FromMilliseconds(9)));
        Assert.Throws<ArgumentOutOfRangeException>("timeout", () => builder.AddMemcached(timeout: TimeSpan.FromSeconds(61)));
    }
}
