using MemcachedDistributedCache.Options;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>The hybrid cache's options and registration; nobody listens where its servers would be.</summary>
public sealed class HybridOptionsTests
{
    private const string Nobody = "127.0.0.1:1";

    public static TheoryData<string, object, bool> Bounds
    {
        get
        {
            var data = new TheoryData<string, object, bool>();
            void Between(string option, TimeSpan minimum, TimeSpan maximum)
            {
                data.Add(option, minimum, true);
                data.Add(option, maximum, true);
                data.Add(option, minimum - TimeSpan.FromTicks(1), false);
                data.Add(option, maximum + TimeSpan.FromTicks(1), false);
            }

            void Counts(string option, int minimum, int maximum)
            {
                data.Add(option, minimum, true);
                data.Add(option, maximum, true);
                data.Add(option, minimum - 1, false);
                if (maximum != int.MaxValue)
                {
                    data.Add(option, maximum + 1, false);
                }
            }

            TimeSpan year = TimeSpan.FromDays(365);
            TimeSpan hour = TimeSpan.FromHours(1);
            Between(nameof(MemcachedHybridCacheOptions.DefaultExpiration), TimeSpan.FromSeconds(1), year);
            Between(nameof(MemcachedHybridCacheOptions.LocalCacheExpiration), TimeSpan.FromMilliseconds(1), year);
            Between(nameof(MemcachedHybridCacheOptions.LocalCacheRevalidation), TimeSpan.Zero, hour);
            Between(nameof(MemcachedHybridCacheOptions.TagRefreshInterval), TimeSpan.Zero, hour);
            Between(nameof(MemcachedHybridCacheOptions.LeaseTime), TimeSpan.FromSeconds(3), TimeSpan.FromMinutes(10));
            Between(nameof(MemcachedHybridCacheOptions.MaximumLeaseWait), TimeSpan.Zero, TimeSpan.FromDays(1));
            Between(nameof(MemcachedHybridCacheOptions.StaleWindow), TimeSpan.Zero, year);
            Between(nameof(MemcachedHybridCacheOptions.MaxStale), TimeSpan.Zero, year);
            Between(nameof(MemcachedHybridCacheOptions.FactorySoftTimeout), TimeSpan.FromMilliseconds(1), hour);
            data.Add(nameof(MemcachedHybridCacheOptions.FactorySoftTimeout), Timeout.InfiniteTimeSpan, true);
            Counts(nameof(MemcachedHybridCacheOptions.MaximumLocalBytes), 65_536, int.MaxValue);
            Counts(nameof(MemcachedHybridCacheOptions.MaximumLocalEntries), 1, 10_000_000);
            Counts(nameof(MemcachedHybridCacheOptions.MaximumPayloadBytes), 1, 1_073_741_824);
            Counts(nameof(MemcachedHybridCacheOptions.MaximumKeyLength), 1, 65_535);
            Counts(nameof(MemcachedHybridCacheOptions.MaximumTags), 1, 1000);
            data.Add(nameof(MemcachedHybridCacheOptions.ExpirationJitter), 0d, true);
            data.Add(nameof(MemcachedHybridCacheOptions.ExpirationJitter), 0.5, true);
            data.Add(nameof(MemcachedHybridCacheOptions.ExpirationJitter), -0.01, false);
            data.Add(nameof(MemcachedHybridCacheOptions.ExpirationJitter), 0.51, false);
            data.Add(nameof(MemcachedHybridCacheOptions.ExpirationJitter), double.NaN, false);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Bounds))]
    public void Every_option_has_its_bounds(string option, object value, bool valid)
    {
        var options = new MemcachedCacheOptions { Servers = ["mc1"] };
        typeof(MemcachedHybridCacheOptions).GetProperty(option)!.SetValue(options.Hybrid, value);
        if (valid)
        {
            OptionsGuard.ThrowIfInvalid(options);
            return;
        }

        string failure = Assert.Single(Assert.Throws<OptionsValidationException>(() => OptionsGuard.ThrowIfInvalid(options)).Failures);
        Assert.Contains(
            $"{option} is {Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)}; set it to",
            failure,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Null_is_refused()
    {
        var options = new MemcachedCacheOptions { Servers = ["mc1"], Hybrid = null! };
        Assert.Contains(
            "Hybrid is null",
            Assert.Single(Assert.Throws<OptionsValidationException>(() => new MemcachedCache(options)).Failures),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_line_registers_both_caches_on_one_cluster()
    {
        await using ServiceProvider provider = new ServiceCollection()
            .AddMemcachedHybridCache(Nobody)
            .AddMemcachedHybridCache(static o => o.Hybrid.MaximumKeyLength = 9)
            .BuildServiceProvider();
        Assert.Same(provider.GetRequiredService<MemcachedHybridCache>(), provider.GetRequiredService<HybridCache>());
        Assert.Same(provider.GetRequiredService<MemcachedCache>(), provider.GetRequiredService<IDistributedCache>());
        Assert.Single(provider.GetServices<HybridCache>());
        Assert.Single(provider.GetServices<IDistributedCache>());
        Assert.Equal(9, provider.GetRequiredService<MemcachedHybridCache>().Parts.Context.Options.MaximumKeyLength);
    }

    [Fact]
    public async Task Keyed_caches_are_apart()
    {
        await using ServiceProvider provider = new ServiceCollection()
            .AddMemcachedHybridCache(Nobody)
            .AddKeyedMemcachedHybridCache("a", static o =>
            {
                o.Servers = [Nobody];
                o.Hybrid.MaxStale = TimeSpan.FromMinutes(7);
            })
            .AddKeyedMemcachedHybridCache("b", Nobody)
            .BuildServiceProvider();
        HybridCache[] caches =
        [
            provider.GetRequiredService<HybridCache>(),
            provider.GetRequiredKeyedService<HybridCache>("a"),
            provider.GetRequiredKeyedService<HybridCache>("b"),
        ];
        Assert.Equal(3, caches.Distinct().Count());
        Assert.Same(caches[1], provider.GetRequiredKeyedService<MemcachedHybridCache>("a"));
        Assert.Equal(
            [TimeSpan.Zero, TimeSpan.FromMinutes(7), TimeSpan.Zero],
            caches.Select(static c => ((MemcachedHybridCache)c).Parts.Context.Options.MaxStale));
    }

    [Fact]
    public void The_sub_section_is_bound_and_an_unknown_name_in_it_is_an_error()
    {
        MemcachedCacheOptions options = Bind(
            ("Servers", "mc1"),
            ("Hybrid:StaleWindow", "00:00:10"),
            ("Hybrid:CacheNullValues", "false"),
            ("Hybrid:ExpirationJitter", "0.1"));
        Assert.Equal(
            (TimeSpan.FromSeconds(10), false, 0.1),
            (options.Hybrid.StaleWindow, options.Hybrid.CacheNullValues, options.Hybrid.ExpirationJitter));
        Assert.Contains(
            "StaleWindw",
            Assert.Throws<InvalidOperationException>(() => Bind(("Servers", "mc1"), ("Hybrid:StaleWindw", "1"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_host_does_not_start_with_an_option_out_of_its_range()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddMemcachedHybridCache(static o =>
        {
            o.Servers = [Nobody];
            o.Hybrid.LeaseTime = TimeSpan.FromSeconds(1);
        });
        using IHost host = builder.Build();
        OptionsValidationException thrown = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains("LeaseTime is 00:00:01; set it to a time span from 00:00:03", thrown.Message, StringComparison.Ordinal);
    }

    private static MemcachedCacheOptions Bind(params (string Key, string Value)[] values)
    {
        IConfiguration configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(static v => KeyValuePair.Create(v.Key, (string?)v.Value)))
            .Build();
        using ServiceProvider provider = new ServiceCollection().AddMemcachedHybridCache(configuration).BuildServiceProvider();
        return provider.GetRequiredService<IOptions<MemcachedCacheOptions>>().Value;
    }
}
