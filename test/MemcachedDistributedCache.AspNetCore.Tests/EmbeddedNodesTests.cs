using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Embedded;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.AspNetCore.Tests;

/// <summary>Embedded nodes and a cache in one container: two packages that know nothing of each other.</summary>
public sealed class EmbeddedNodesTests
{
    private const int Unused = 1030;
    private readonly RecordingLogger _log = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cache_without_servers_uses_the_embedded_nodes_in_either_order(bool first)
    {
        IServiceCollection services = Services();
        _ = first ? services.AddEmbeddedMemcached() : services;
        services.AddMemcachedHybridCache(static options => options.Namespace = "shop:").AddMemcachedOutputCache();
        _ = first ? services : services.AddEmbeddedMemcached();
        await using ServiceProvider provider = services.BuildServiceProvider();
        IDistributedCache cache = provider.GetRequiredService<IDistributedCache>();
        await cache.SetStringAsync("key", "value");
        Assert.Equal("value", await cache.GetStringAsync("key"));
        Assert.Equal(1, await provider.GetRequiredService<HybridCache>().GetOrCreateAsync("key", static _ => ValueTask.FromResult(1)));
        await provider.GetRequiredService<IOutputCacheStore>().SetAsync("key", [1], [], TimeSpan.FromMinutes(1), default);
        EmbeddedMemcached embedded = provider.GetRequiredService<EmbeddedMemcached>();
        Assert.Equal(embedded.Servers, provider.GetRequiredService<MemcachedCache>().GetNodes().Select(static node => node.Server));
        Assert.True(embedded.Nodes.Sum(static node => node.ItemCount) >= 3);
        Assert.Empty(_log.Of(Unused));
    }

    [Fact]
    public async Task A_configuration_without_servers_uses_them_too()
    {
        IConfiguration section = new ConfigurationBuilder()
            .AddInMemoryCollection([KeyValuePair.Create("Namespace", (string?)"shop:")])
            .Build();
        await using ServiceProvider provider = Services()
            .AddMemcachedDistributedCache(section)
            .AddMemcachedHybridCache(section)
            .AddEmbeddedMemcached(static options => options.Nodes = 2)
            .BuildServiceProvider();
        Assert.Equal(2, provider.GetRequiredService<MemcachedCache>().GetNodes().Count);
    }

    [Fact]
    public async Task A_cache_with_servers_of_its_own_uses_those_and_warns_once()
    {
        await using EmbeddedMemcached own = await EmbeddedMemcached.StartAsync();
        await using ServiceProvider provider = Services().AddMemcachedHybridCache(own.ConnectionString).AddEmbeddedMemcached().BuildServiceProvider();
        MemcachedCache cache = provider.GetRequiredService<MemcachedCache>();
        _ = provider.GetRequiredService<HybridCache>();
        await cache.SetStringAsync("key", "value");
        Assert.Equal(own.Servers, cache.GetNodes().Select(static node => node.Server));
        string warning = Assert.Single(_log.Of(Unused));
        Assert.Contains(own.ConnectionString, warning, StringComparison.Ordinal);
        Assert.All(provider.GetRequiredService<EmbeddedMemcached>().Servers, server => Assert.Contains(server, warning, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Servers_that_are_the_embedded_nodes_by_hand_are_no_warning()
    {
        await using ServiceProvider provider = Services()
            .AddEmbeddedMemcached()
            .AddMemcachedDistributedCache(static (options, services) => options.Servers = [.. services.GetRequiredService<EmbeddedMemcached>().Servers])
            .BuildServiceProvider();
        Assert.Equal(3, provider.GetRequiredService<MemcachedCache>().GetNodes().Count);
        Assert.Empty(_log.Of(Unused));
    }

    [Fact]
    public async Task A_keyed_cache_uses_the_nodes_of_its_key_and_no_others()
    {
        await using ServiceProvider provider = Services()
            .AddMemcachedDistributedCache(static _ => { })
            .AddEmbeddedMemcached()
            .AddKeyedMemcachedDistributedCache("reports", static options => options.Namespace = "reports:")
            .AddKeyedEmbeddedMemcached("reports", static options => options.Nodes = 2)
            .AddKeyedMemcachedDistributedCache("other", static _ => { })
            .BuildServiceProvider();
        string[] main = [.. provider.GetRequiredService<MemcachedCache>().GetNodes().Select(static node => node.Server)];
        string[] reports = [.. provider.GetRequiredKeyedService<MemcachedCache>("reports").GetNodes().Select(static node => node.Server)];
        Assert.Equal(provider.GetRequiredKeyedService<EmbeddedMemcached>("reports").Servers, reports);
        Assert.Equal((3, 2), (main.Length, reports.Length));
        Assert.Empty(main.Intersect(reports));
        Assert.Contains(
            "AddEmbeddedMemcached()",
            Assert.Throws<OptionsValidationException>(() => provider.GetRequiredKeyedService<MemcachedCache>("other")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_servers_and_without_nodes_the_message_says_what_to_do()
    {
        await using ServiceProvider provider = Services().AddMemcachedDistributedCache(static _ => { }).BuildServiceProvider();
        Assert.Contains(
            "name at least one server",
            Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<MemcachedCache>()).Message,
            StringComparison.Ordinal);
    }

    private IServiceCollection Services() => new ServiceCollection().AddLogging(logging => logging.AddProvider(_log));
}
