using System.Net;
using System.Net.Sockets;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.ServiceDiscovery;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Servers that Microsoft.Extensions.ServiceDiscovery tells.</summary>
public sealed class ServiceEndpointTests : IDisposable
{
    private static readonly DistributedCacheEntryOptions Default = new();

    private readonly FakeEndpoints _endpoints = new();
    private readonly RecordingLogger _logger = new();

    public void Dispose() => _logger.Dispose();

    [MemcachedFact]
    public async Task Servers_join_and_leave_as_the_provider_says_and_nothing_older_comes_back()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedProcess third = await MemcachedProcess.StartAsync();
        _endpoints.Tell(first.EndPoint, second.EndPoint);
        await using ServiceProvider provider = Discovering("mc");
        await using MemcachedCache cache = On(provider);

        // The first answer was waited for: nothing that is asked from the beginning is lost.
        Assert.Equal([first.Server, second.Server], Servers(cache));
        IPEndPoint[][] lists = [[second.EndPoint, third.EndPoint], [first.EndPoint], [third.EndPoint, first.EndPoint, second.EndPoint]];
        for (byte version = 1; version < 5; version++)
        {
            for (int key = 0; key < 30; key++)
            {
                await cache.SetAsync($"key{key}", [version], Default);
            }

            IPEndPoint[] list = lists[version % lists.Length];
            _endpoints.Tell([.. list]);
            await Eventually.True(
                () => Servers(cache).ToHashSet().SetEquals(list.Select(static server => server.ToString())),
                "the list is used, long before its time");
            for (int key = 0; key < 30; key++)
            {
                byte[]? value = await cache.GetAsync($"key{key}");
                Assert.True(value is null || value[0] == version, $"version {value?[0]} instead of {version}");
            }
        }

        Assert.Empty(_logger.Texts(LogLevel.Warning));
    }

    [MemcachedFact]
    public async Task An_answer_that_is_empty_or_fails_changes_nothing_and_is_logged_once()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        _endpoints.Tell(server.EndPoint);
        await using ServiceProvider provider = Discovering("mc", TimeSpan.FromSeconds(1));
        MemcachedCacheOptions options = provider.GetRequiredService<IOptions<MemcachedCacheOptions>>().Value;
        var counting = new CountingSource(options.ServerSource!);
        options.UseServerSource(counting);
        await using MemcachedCache cache = On(provider);
        await cache.SetAsync("key", [1], Default);
        (Action Tell, string Reason)[] answers =
        [
            (() => _endpoints.Tell(), "names 0 servers"),
            (() => _endpoints.Fail("the registry is away"), "the registry is away"),
            (() => _endpoints.Tell(server.EndPoint, new IPEndPoint(IPAddress.Loopback, 1), new DnsEndPoint("a;weight=300", 2)), "the weight '300"),
            (() => _endpoints.Tell(server.EndPoint, new StrangeEndPoint()), "no server of memcached is named so"),
        ];
        foreach ((Action tell, string reason) in answers)
        {
            tell();
            await _logger.SeesAsync(reason, 1);
            int asked = counting.Asked;
            await Eventually.True(() => counting.Asked > asked + 1, "it is asked again");
        }

        Assert.All(answers, answer => Assert.Equal(1, _logger.Count(answer.Reason)));
        Assert.Equal(answers.Length, _logger.Count("service 'mc' does not tell which memcached servers there are"));
        Assert.Equal([server.Server], Servers(cache));
        Assert.Equal([1], await cache.GetAsync("key"));
        _endpoints.Tell(server.EndPoint, new IPEndPoint(IPAddress.Loopback, 1));
        await Eventually.True(() => Servers(cache).Length == 2, "it is heard again");
    }

    [MemcachedFact]
    public async Task Endpoints_in_the_configuration_are_followed_and_a_service_that_vanishes_from_it_keeps_its_servers()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        var section = new ServicesSection();
        section.Tell($"tcp://{first.Server}");
        IConfigurationRoot configuration = new ConfigurationBuilder().Add(section).Build();
        await using ServiceProvider provider = new ServiceCollection()
            .AddSingleton<IConfiguration>(configuration)
            .AddSingleton<ILoggerFactory>(_logger)
            .AddServiceDiscovery()
            .AddKeyedMemcachedServiceDiscovery("second", "_tcp.mc")
            .AddKeyedMemcachedDistributedCache("second", static options => options.OperationTimeout = TimeSpan.FromSeconds(10))
            .BuildServiceProvider();
        MemcachedCache cache = provider.GetRequiredKeyedService<MemcachedCache>("second");
        Assert.Equal([first.Server], Servers(cache));
        await cache.SetAsync("key", [1], Default);
        Assert.Equal([1], await cache.GetAsync("key"));

        section.Tell($"tcp://{first.Server}", second.Server);
        await Eventually.True(() => Servers(cache).Length == 2, "the second has joined");

        section.Tell();
        await _logger.SeesAsync("it has no endpoints any more", 1);
        Assert.Equal([first.Server, second.Server], Servers(cache));
    }

    [Fact]
    public async Task Every_kind_of_endpoint_is_written_as_a_server()
    {
        await using ServiceProvider provider = Discovering("mc");
        IMemcachedServerSource source = provider.GetRequiredService<IOptions<MemcachedCacheOptions>>().Value.ServerSource!;
        _endpoints.Tell(
            new IPEndPoint(IPAddress.Loopback, 5),
            new IPEndPoint(IPAddress.IPv6Loopback, 0),
            new DnsEndPoint("mc1", 5),
            new DnsEndPoint("mc2", 0),
            new UriEndPoint(new Uri("tcp://mc3:5")),
            new UriEndPoint(new Uri("tcp://mc4")),
            new UriEndPoint(new Uri("tcp://[::1]:7")),
            new UriEndPoint(new Uri("unix:/run/mc6.sock")),
            new UnixDomainSocketEndPoint("/run/mc5.sock"));
        Assert.Equal(
            ["127.0.0.1:5", "[::1]:11211", "mc1:5", "mc2:11211", "mc3:5", "mc4:11211", "[::1]:7", "unix:/run/mc6.sock", "unix:/run/mc5.sock"],
            await source.GetServersAsync(static () => { }, default));
    }

    [Fact]
    public async Task Without_providers_the_application_starts_and_the_log_says_so()
    {
        await using ServiceProvider provider = new ServiceCollection()
            .AddSingleton<ILoggerFactory>(_logger)
            .AddMemcachedDistributedCache(static options => options.FailureMode = MemcachedFailureMode.Degrade)
            .AddMemcachedServiceDiscovery("mc")
            .BuildServiceProvider();
        Assert.Null(await provider.GetRequiredService<IDistributedCache>().GetAsync("key"));
        await _logger.SeesAsync("service 'mc' does not tell which memcached servers there are: No provider which supports", 1);
    }

    private static string[] Servers(MemcachedCache cache) => [.. cache.GetNodes().Select(static node => node.Server)];

    private ServiceProvider Discovering(string service, TimeSpan? interval = null)
        => new ServiceCollection()
            .AddSingleton<IServiceEndpointProviderFactory>(_endpoints)
            .AddMemcachedServiceDiscovery(service)
            .AddMemcachedDistributedCache(options =>
            {
                options.DiscoveryInterval = interval ?? TimeSpan.FromDays(1);
                options.Namespace = "endpoints";
                options.FailureMode = MemcachedFailureMode.Throw;
                options.OperationTimeout = options.ConnectTimeout = TimeSpan.FromSeconds(20);
            })
            .BuildServiceProvider();

    private MemcachedCache On(ServiceProvider provider)
        => new(
            provider.GetRequiredService<IOptions<MemcachedCacheOptions>>().Value,
            _logger,
            null,
            null,
            null,
            ioTime: new HastyTimeProvider(10));

    /// <summary>A configuration that is written anew while the application runs.</summary>
    private sealed class ServicesSection : ConfigurationProvider, IConfigurationSource
    {
        public void Tell(params string[] servers)
        {
            Data = servers.Index().ToDictionary(static one => $"Services:mc:tcp:{one.Index}", static one => (string?)one.Item);
            OnReload();
        }

        public IConfigurationProvider Build(IConfigurationBuilder builder) => this;
    }

    private sealed class CountingSource(IMemcachedServerSource source) : IMemcachedServerSource
    {
        private int _asked;

        public int Asked => Volatile.Read(ref _asked);

        public string Name => source.Name;

        public ValueTask<IReadOnlyList<string>> GetServersAsync(Action changed, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _asked);
            return source.GetServersAsync(changed, cancellationToken);
        }
    }

    private sealed class StrangeEndPoint : EndPoint;
}
