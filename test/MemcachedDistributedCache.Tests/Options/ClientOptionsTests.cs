using MemcachedDistributedCache.Options;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>The options of a client by themselves: each rule that a cache has of them, and the same ways to give them.</summary>
public sealed class ClientOptionsTests
{
    [Theory]
    [MemberData(nameof(OptionsTests.Bounds), MemberType = typeof(OptionsTests))]
    public void Every_option_of_a_client_has_the_bounds_that_it_has_in_a_cache(string option, object value, bool valid)
    {
        Assert.NotNull(option);
        var client = new MemcachedClientOptions { Servers = ["mc1"] };
        var cache = new MemcachedCacheOptions { Servers = ["mc1"] };
        if (typeof(MemcachedClientOptions).GetProperty(option) is not { } property)
        {
            Assert.Contains(option, (string[])[nameof(MemcachedCacheOptions.OversizeBehavior), nameof(MemcachedCacheOptions.FailureMode)]);
            return;
        }

        property.SetValue(client, value);
        property.SetValue(cache, value);
        string[] failures = Failures(client);
        Assert.Equal(Failures(cache).Order(StringComparer.Ordinal), failures.Order(StringComparer.Ordinal));
        Assert.True(valid || failures.Length != 0);
    }

    [Fact]
    public void Rules_between_options_and_those_of_encryption_are_a_clients_too()
    {
        var client = new MemcachedClientOptions
        {
            IdleTimeout = TimeSpan.FromSeconds(1),
            UserName = "user",
            Tls = { CaFile = "/nowhere", ServerName = " " },
        };
        string[] failures = Failures(client);
        Assert.Contains(failures, static failure => failure.Contains("Servers is []", StringComparison.Ordinal));
        Assert.Contains(failures, static failure => failure.Contains("IdleTimeout is 00:00:01, not more than", StringComparison.Ordinal));
        Assert.Contains(failures, static failure => failure.Contains("UserName is set without a password", StringComparison.Ordinal));
        Assert.Contains(failures, static failure => failure.Contains("Tls:Enabled is false", StringComparison.Ordinal));
        Assert.Contains(failures, static failure => failure.Contains("ServerName is ' '", StringComparison.Ordinal));
    }

    [Fact]
    public void A_section_is_bound()
    {
        using ServiceProvider provider = Services(
            ("Servers", "mc1, mc2"), ("Namespace", "shop:"), ("OperationTimeout", "00:00:03"), ("Tls:Enabled", "true")).BuildServiceProvider();
        MemcachedClientOptions options = provider.GetRequiredService<IOptionsMonitor<MemcachedClientOptions>>().CurrentValue;
        Assert.Equal(["mc1", "mc2"], options.Servers);
        Assert.Equal(("shop:", TimeSpan.FromSeconds(3), true), (options.Namespace, options.OperationTimeout, options.Tls.Enabled));
    }

    [Theory]
    [InlineData("OperationTimout", "did you mean 'OperationTimeout'?")]
    [InlineData("CaFile", "it is one of encrypted connections, and stands under 'Tls'")]
    [InlineData("FailureMode", "there is no memcached option 'FailureMode'")]
    [InlineData("Hybrid:StaleWindow", "there is no memcached option 'Hybrid'")]
    public void A_name_that_is_no_option_of_a_client_is_refused(string name, string expected)
    {
        using ServiceProvider provider = Services(("Servers", "mc1"), (name, "1")).BuildServiceProvider();
        InvalidOperationException thrown = Assert.Throws<InvalidOperationException>(() => provider.GetRequiredService<IOptions<MemcachedClientOptions>>().Value);
        Assert.Contains(expected, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_host_does_not_start_with_invalid_options()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        ClientRegistration.OfClients.Configure(Add(builder.Services, "counters"), static options => options.Servers = ["mc1:99999"]);
        using IHost host = builder.Build();
        OptionsValidationException thrown = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Equal("counters", thrown.OptionsName);
        Assert.Contains("mc1:99999", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Registrations_of_one_name_with_different_servers_are_refused_and_offered_servers_are_taken()
    {
        var services = new ServiceCollection();
        services.AddKeyedSingleton<IReadOnlyList<string>>(OfferedServers.Key, ["127.0.0.1:1"]);
        Add(services, "");
        ClientRegistration.OfClients.Configure(Add(services, "two"), static options => options.Servers = ["mc1"]);
        ClientRegistration.OfClients.Configure(Add(services, "two"), static (options, _) => options.Servers = ["mc2"]);
        Assert.Equal(2, services.Count(static service => service.ServiceType == typeof(IValidateOptions<MemcachedClientOptions>)));
        using ServiceProvider provider = services.BuildServiceProvider();
        IOptionsMonitor<MemcachedClientOptions> options = provider.GetRequiredService<IOptionsMonitor<MemcachedClientOptions>>();
        Assert.Equal(["127.0.0.1:1"], options.CurrentValue.Servers);
        Assert.Contains(
            "another registration of the same client or cache has named [mc1]",
            Assert.Throws<OptionsValidationException>(() => options.Get("two")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_of_the_servers_is_told_and_another_is_logged()
    {
        using var log = new RecordingLogger();
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create("Servers", (string?)"mc1")]).Build();
        MemoryConfigurationProvider values = configuration.Providers.OfType<MemoryConfigurationProvider>().Single();
        var services = new ServiceCollection();
        ClientRegistration.OfClients.Bind(Add(services, ""), configuration);
        using ServiceProvider provider = services.BuildServiceProvider();
        var told = new List<string>();
        MemcachedClientOptions atStart = ClientRegistration.AtStart<MemcachedClientOptions>(provider, "", log);
        using (ClientRegistration.OfClients.Follow(provider, "", atStart, log, servers => told.Add(string.Join(',', servers))))
        {
            values.Set("Servers", "mc1,mc2");
            values.Set("Tls:Enabled", "true");
            configuration.Reload();
            Assert.Equal(["mc1", "mc1,mc2"], told.Distinct());
            Assert.Contains("changed Tls:Enabled. They are", Assert.Single(log.Of(EventIds.ChangeIgnored)), StringComparison.Ordinal);
            values.Set("Servers", "mc1:99999");
            Assert.Throws<AggregateException>(configuration.Reload);
            Assert.Contains("mc1:99999", Assert.Single(log.Of(EventIds.ChangeRefused)), StringComparison.Ordinal);
        }

        int before = told.Count;
        values.Set("Servers", "mc3");
        configuration.Reload();
        Assert.Equal(before, told.Count);
    }

    private static OptionsBuilder<MemcachedClientOptions> Add(IServiceCollection services, string name)
        => ClientRegistration.OfClients.Add(services, name);

    private static ServiceCollection Services(params (string Key, string Value)[] values)
    {
        var services = new ServiceCollection();
        ClientRegistration.OfClients.Bind(
            Add(services, ""),
            new ConfigurationBuilder().AddInMemoryCollection(values.Select(static v => KeyValuePair.Create(v.Key, (string?)v.Value))).Build());
        return services;
    }

    private static string[] Failures(MemcachedClientOptions options)
    {
        try
        {
            if (options is MemcachedCacheOptions cache)
            {
                OptionsGuard.ThrowIfInvalid(cache);
            }
            else
            {
                ClientOptionsGuard.ThrowIfInvalid(options);
            }

            return [];
        }
        catch (OptionsValidationException exception)
        {
            return [.. exception.Failures.Select(static failure => failure.Replace(nameof(MemcachedCacheOptions), nameof(MemcachedClientOptions), StringComparison.Ordinal))];
        }
    }
}
