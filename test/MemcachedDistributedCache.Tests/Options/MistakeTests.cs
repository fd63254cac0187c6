using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>What is ordinarily done wrong when a cache is registered and configured, and what is said of it.</summary>
public sealed class MistakeTests
{
    private const string A = "127.0.0.1:1,127.0.0.1:2";
    private const string B = "127.0.0.1:3";

    public static TheoryData<string, Action<IServiceCollection>> Contradictions
        => new()
        {
            { "two texts", static services => services.AddMemcachedDistributedCache(A).AddMemcachedHybridCache(B) },
            { "the other way round", static services => services.AddMemcachedHybridCache(B).AddMemcachedDistributedCache(A) },
            {
                "a text and options",
                static services => services.AddMemcachedDistributedCache(A).AddMemcachedHybridCache(static options => options.Servers = [B])
            },
            {
                "a text and a section",
                static services => services.AddMemcachedDistributedCache(A).AddMemcachedHybridCache(Section(("Servers", B)))
            },
            {
                "two sections",
                static services
                    => services
                        .AddMemcachedDistributedCache(Section(("Servers:0", "127.0.0.1:1")))
                        .AddMemcachedHybridCache(Section(("Servers:0", B)))
            },
            { "fewer", static services => services.AddMemcachedDistributedCache(A).AddMemcachedDistributedCache("127.0.0.1:1") },
            {
                "another weight",
                static services => services.AddMemcachedDistributedCache("127.0.0.1:1").AddMemcachedDistributedCache("127.0.0.1:1;weight=2")
            },
            {
                "other services",
                static services
                    => services.AddMemcachedDistributedCache(A).AddMemcachedHybridCache(static (options, _) => options.Servers = [B])
            },
            {
                "a keyed cache",
                static services
                    => services.AddMemcachedDistributedCache(A).AddKeyedMemcachedDistributedCache("k", A).AddKeyedMemcachedHybridCache("k", B)
            },
            {
                "there and back",
                static services => services.AddMemcachedDistributedCache(A).AddMemcachedHybridCache(B).AddMemcachedHybridCache(A)
            },
        };

    public static TheoryData<string, Action<IServiceCollection>> Agreements
        => new()
        {
            { "the same text", static services => services.AddMemcachedDistributedCache(A).AddMemcachedHybridCache(A) },
            {
                "another order and spelling",
                static services => services.AddMemcachedDistributedCache("mc1,mc2").AddMemcachedHybridCache("MC2:11211;weight=1, mc1:11211")
            },
            {
                "the same section",
                static services => AddTwice(services, Section(("Servers:0", "127.0.0.1:1"), ("Servers:1", "127.0.0.1:2")))
            },
            {
                "options beside",
                static services
                    => services
                        .AddMemcachedDistributedCache(A)
                        .AddMemcachedHybridCache(static options => options.Hybrid.StaleWindow = TimeSpan.FromSeconds(5))
            },
            {
                "a section beside",
                static services => services.AddMemcachedHybridCache(A).AddMemcachedDistributedCache(Section(("Namespace", "shop:")))
            },
            {
                "options before",
                static services
                    => services.AddMemcachedHybridCache(static options => options.Namespace = "shop:").AddMemcachedDistributedCache(A)
            },
            {
                "one more server",
                static services
                    => services.AddMemcachedDistributedCache("mc1").AddMemcachedHybridCache(static options => options.Servers.Add("mc2"))
            },
            { "keyed apart", static services => services.AddMemcachedDistributedCache(A).AddKeyedMemcachedHybridCache("k", B) },
            {
                "replaced on purpose",
                static services
                    => services.AddMemcachedDistributedCache(A).Configure<MemcachedCacheOptions>(static options => options.Servers = [B])
            },
            {
                "after it was replaced",
                static services
                    => services.Configure<MemcachedCacheOptions>(static options => options.Servers = [B]).AddMemcachedDistributedCache(A)
            },
        };

    [Theory]
    [MemberData(nameof(Contradictions))]
    public async Task Registrations_that_name_different_servers_end_the_start_and_name_the_keyed_one(string what, Action<IServiceCollection> register)
    {
        using IHost host = HostOf(register);
        OptionsValidationException thrown = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains(
            "AddKeyedMemcachedDistributedCache(\"name\", ...) or AddKeyedMemcachedHybridCache(\"name\", ...)",
            thrown.Message,
            StringComparison.Ordinal);
        Assert.Contains("127.0.0.1:1", thrown.Message, StringComparison.Ordinal);
        Assert.NotEmpty(what);
    }

    [Theory]
    [MemberData(nameof(Agreements))]
    public async Task Registrations_that_agree_or_add_are_one_cache(string what, Action<IServiceCollection> register)
    {
        using IHost host = HostOf(register);
        await host.StartAsync();
        await host.StopAsync();
        Assert.NotEmpty(what);
    }

    [Theory]
    [InlineData("OperationTimout", "did you mean 'OperationTimeout'?")]
    [InlineData("server", "did you mean 'Servers'?")]
    [InlineData("Hybrid:MaxStales", "did you mean 'MaxStale'?")]
    [InlineData("StaleWindow", "it is one of the hybrid cache, and stands under 'Hybrid'")]
    [InlineData("InstanceName", "take it out")]
    public void A_misspelt_option_is_named_with_the_one_that_is_meant(string name, string expected)
    {
        using ServiceProvider provider = new ServiceCollection().AddMemcachedDistributedCache(Section(("Servers", A), (name, "1"))).BuildServiceProvider();
        InvalidOperationException thrown = Assert.Throws<InvalidOperationException>(() => provider.GetRequiredService<IOptions<MemcachedCacheOptions>>().Value);
        Assert.Contains($"'Memcached:{name}'", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(expected, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reload_names_the_options_that_it_cannot_change_once()
    {
        var log = new RecordingLogger();
        IConfigurationRoot configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([
                KeyValuePair.Create("Servers", (string?)A),
                KeyValuePair.Create("OperationTimeout", (string?)"00:00:01"),
            ])
            .Build();
        MemoryConfigurationProvider values = configuration.Providers.OfType<MemoryConfigurationProvider>().Single();
        await using ServiceProvider provider = new ServiceCollection()
            .AddSingleton<ILoggerFactory>(log)
            .AddMemcachedDistributedCache(configuration)
            .AddMemcachedHybridCache(configuration)
            .BuildServiceProvider();
        MemcachedCache cache = provider.GetRequiredService<MemcachedCache>();
        configuration.Reload();
        Assert.Empty(Ignored());

        values.Set("OperationTimeout", "00:00:03");
        values.Set("Hybrid:StaleWindow", "00:00:09");
        values.Set("Servers", B);
        configuration.Reload();
        Assert.Contains("changed OperationTimeout, Hybrid:StaleWindow. They are", Assert.Single(Ignored()), StringComparison.Ordinal);
        Assert.Equal(B, Assert.Single(cache.GetNodes()).Server);

        // The same again is no news, and what is as it was at the start is not ignored.
        configuration.Reload();
        Assert.Single(Ignored());
        values.Set("Hybrid:StaleWindow", "00:00:00");
        configuration.Reload();
        Assert.Contains("changed OperationTimeout. They are", Ignored()[1], StringComparison.Ordinal);
        values.Set("OperationTimeout", "00:00:01");
        configuration.Reload();
        Assert.Equal(2, Ignored().Length);

        string[] Ignored() => [.. log.Entries.Where(static entry => entry.Id == EventIds.ChangeIgnored).Select(static entry => entry.Message)];
    }

    private static void AddTwice(IServiceCollection services, IConfiguration section)
        => services.AddMemcachedDistributedCache(section).AddMemcachedHybridCache(section);

    private static IConfigurationSection Section(params (string Key, string Value)[] values)
        => new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(static v => KeyValuePair.Create("Memcached:" + v.Key, (string?)v.Value)))
            .Build()
            .GetSection("Memcached");

    private static IHost HostOf(Action<IServiceCollection> register)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        register(builder.Services);
        return builder.Build();
    }
}
