using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>Options and services only: a cache is made where it must be, on port 1 of this machine, where nobody listens.</summary>
public sealed class RegistrationTests
{
    private const string Nobody = "127.0.0.1:1";

    [Fact]
    public void A_connection_string_names_the_servers()
        => Assert.Equal(
            ["mc1:11211", "mc2:11211;weight=2", "[::1]:11213"],
            OptionsOf(static s => s.AddMemcachedDistributedCache("mc1:11211, mc2:11211;weight=2,[::1]:11213")).Servers);

    [Fact]
    public void Servers_may_be_added_to_a_connection_string()
    {
        MemcachedCacheOptions options = OptionsOf(static s =>
            s.AddMemcachedDistributedCache("mc1").Configure<MemcachedCacheOptions>(static o => o.Servers.Add("mc2")));
        Assert.Equal(["mc1", "mc2"], options.Servers);
    }

    [Fact]
    public void Options_may_come_from_other_services()
    {
        MemcachedCacheOptions options = OptionsOf(static s =>
            s.AddSingleton("mc7").AddMemcachedDistributedCache(static (o, provider) => o.Servers = [provider.GetRequiredService<string>()]));
        Assert.Equal(["mc7"], options.Servers);
    }

    [Fact]
    public void A_list_of_servers_is_bound()
    {
        MemcachedCacheOptions options = OptionsOf(static s => s.AddMemcachedDistributedCache(Section(("Servers:0", "mc1"), ("Servers:1", "mc2;weight=2"), ("OperationTimeout", "00:00:03"), ("FailureMode", "Throw"), ("ConnectionsPerNode", "3"))));
        Assert.Equal(["mc1", "mc2;weight=2"], options.Servers);
        Assert.Equal((TimeSpan.FromSeconds(3), MemcachedFailureMode.Throw, 3), (options.OperationTimeout, options.FailureMode, options.ConnectionsPerNode));
    }

    [Fact]
    public void One_text_of_servers_is_bound()
        => Assert.Equal(["mc1", "mc2;weight=2"], OptionsOf(static s => s.AddMemcachedDistributedCache(Section(("Servers", "mc1, mc2;weight=2")))).Servers);

    [Fact]
    public void A_section_without_servers_keeps_those_of_before()
    {
        MemcachedCacheOptions options = OptionsOf(static s =>
            s.AddMemcachedDistributedCache("mc1").AddMemcachedDistributedCache(Section(("Namespace", "shop"))));
        Assert.Equal(["mc1"], options.Servers);
        Assert.Equal("shop", options.Namespace);
    }

    [Fact]
    public void An_unknown_name_in_the_section_is_an_error()
    {
        InvalidOperationException thrown = Assert.Throws<InvalidOperationException>(() =>
            OptionsOf(static s => s.AddMemcachedDistributedCache(Section(("Servers", "mc1"), ("OperationTimout", "00:00:03")))));
        Assert.Contains("OperationTimout", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_that_cannot_be_read_names_its_key()
    {
        InvalidOperationException thrown = Assert.Throws<InvalidOperationException>(() =>
            OptionsOf(static s => s.AddMemcachedDistributedCache(Section(("Servers", "mc1"), ("OperationTimeout", "soon")))));
        Assert.Contains("OperationTimeout", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_host_does_not_start_with_invalid_options()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddMemcachedDistributedCache("mc1:99999");
        using IHost host = builder.Build();
        OptionsValidationException thrown = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains("mc1:99999", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_host_does_not_start_with_invalid_options_of_a_keyed_cache()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddMemcachedDistributedCache(Nobody).AddKeyedMemcachedDistributedCache("sessions", static o => o.Servers = []);
        using IHost host = builder.Build();
        OptionsValidationException thrown = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Equal("sessions", thrown.OptionsName);
    }

    [Fact]
    public async Task It_takes_the_place_of_another_cache()
    {
        foreach (bool after in (bool[])[true, false])
        {
            var services = new ServiceCollection();
            _ = after
                ? services.AddDistributedMemoryCache().AddMemcachedDistributedCache(Nobody)
                : services.AddMemcachedDistributedCache(Nobody).AddDistributedMemoryCache();
            await using ServiceProvider provider = services.BuildServiceProvider();
            Assert.IsType<MemcachedCache>(provider.GetRequiredService<IDistributedCache>());
            Assert.Same(provider.GetRequiredService<MemcachedCache>(), provider.GetRequiredService<IDistributedCache>());
            Assert.IsAssignableFrom<IBufferDistributedCache>(provider.GetRequiredService<IDistributedCache>());
        }
    }

    [Fact]
    public void Registering_twice_registers_once()
    {
        var services = new ServiceCollection();
        services
            .AddMemcachedDistributedCache("mc1")
            .AddMemcachedDistributedCache("mc1:11211")
            .AddKeyedMemcachedDistributedCache("k", "mc3")
            .AddKeyedMemcachedDistributedCache("k", "MC3");
        Assert.Equal(2, services.Count(static s => s.ServiceType == typeof(IDistributedCache)));
        Assert.Equal(2, services.Count(static s => s.ServiceType == typeof(MemcachedCache)));
        Assert.Equal(2, services.Count(static s => s.ServiceType == typeof(IValidateOptions<MemcachedCacheOptions>)));
        using ServiceProvider provider = services.BuildServiceProvider();
        IOptionsMonitor<MemcachedCacheOptions> options = provider.GetRequiredService<IOptionsMonitor<MemcachedCacheOptions>>();
        Assert.Equal(["mc1:11211"], options.CurrentValue.Servers);
        Assert.Equal(["MC3"], options.Get("k").Servers);
    }

    [Fact]
    public async Task Keyed_caches_are_apart()
    {
        await using ServiceProvider provider = new ServiceCollection()
            .AddMemcachedDistributedCache("127.0.0.1:1")
            .AddKeyedMemcachedDistributedCache("sessions", "127.0.0.1:2")
            .AddKeyedMemcachedDistributedCache("other", Section(("Servers", "127.0.0.1:3,127.0.0.1:4")))
            .BuildServiceProvider();
        string[] Servers(MemcachedCache cache) => [.. cache.GetNodes().Select(static n => n.Server)];
        Assert.Equal(["127.0.0.1:1"], Servers(provider.GetRequiredService<MemcachedCache>()));
        Assert.Equal(["127.0.0.1:2"], Servers((MemcachedCache)provider.GetRequiredKeyedService<IDistributedCache>("sessions")));
        Assert.Equal(["127.0.0.1:3", "127.0.0.1:4"], Servers(provider.GetRequiredKeyedService<MemcachedCache>("other")));
    }

    [Fact]
    public async Task Options_are_copied()
    {
        var servers = new List<string> { Nobody };
        var options = new MemcachedCacheOptions { Servers = servers, FailureMode = MemcachedFailureMode.Degrade };
        await using var cache = new MemcachedCache(options);
        servers.Add("127.0.0.1:2");
        options.FailureMode = MemcachedFailureMode.Throw;
        Assert.Single(cache.GetNodes());
        Assert.Null(await cache.GetAsync("key"));
    }

    private static IConfigurationSection Section(params (string Key, string Value)[] values)
        => new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(static v => KeyValuePair.Create("Memcached:" + v.Key, (string?)v.Value)))
            .Build()
            .GetSection("Memcached");

    private static MemcachedCacheOptions OptionsOf(Action<IServiceCollection> register)
    {
        var services = new ServiceCollection();
        register(services);
        using ServiceProvider provider = services.BuildServiceProvider();
        return provider.GetRequiredService<IOptions<MemcachedCacheOptions>>().Value;
    }
}
