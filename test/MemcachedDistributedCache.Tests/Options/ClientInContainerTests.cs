using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.Tests.Options;

/// <summary>How a container gives the typed client: with a cache's connections, or with its own.</summary>
public sealed class ClientInContainerTests
{
    private const string Nowhere = "127.0.0.1:1";

    [Fact]
    public async Task A_cache_brings_the_client_on_its_connections()
    {
        await using ServiceProvider provider = new ServiceCollection()
            .AddMemcachedDistributedCache(Nowhere)
            .AddKeyedMemcachedDistributedCache("other", "127.0.0.1:2")
            .BuildServiceProvider();
        Assert.Same(provider.GetRequiredService<MemcachedCache>().Client, provider.GetRequiredService<IMemcachedClient>());
        IMemcachedClient keyed = provider.GetRequiredKeyedService<IMemcachedClient>("other");
        Assert.Same(provider.GetRequiredKeyedService<MemcachedCache>("other").Client, keyed);
        Assert.Equal("127.0.0.1:2", Assert.Single(keyed.GetNodes()).Server);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_with_connections_of_its_own_takes_that_ones_place(bool clientFirst)
    {
        var services = new ServiceCollection();
        _ = clientFirst ? services.AddMemcachedClient("127.0.0.1:3") : services.AddMemcachedDistributedCache(Nowhere);
        _ = clientFirst ? services.AddMemcachedDistributedCache(Nowhere) : services.AddMemcachedClient("127.0.0.1:3");
        await using ServiceProvider provider = services.BuildServiceProvider();
        IMemcachedClient client = provider.GetRequiredService<IMemcachedClient>();
        Assert.Same(provider.GetRequiredService<MemcachedClient>(), client);
        Assert.Equal("127.0.0.1:3", Assert.Single(client.GetNodes()).Server);
        Assert.Equal(Nowhere, Assert.Single(provider.GetRequiredService<MemcachedCache>().GetNodes()).Server);
    }

    [Fact]
    public async Task Options_come_from_a_section_and_wrong_ones_are_refused()
    {
        await using ServiceProvider right = From(("Servers", Nowhere), ("IllegalKeys", "Hash"), ("CounterFailover", "Gutter"), ("RemoveUncertain", "false"));
        MemcachedClientOptions options = right.GetRequiredService<IOptions<MemcachedClientOptions>>().Value;
        Assert.Equal((MemcachedIllegalKeys.Hash, MemcachedFailover.Gutter, false), (options.IllegalKeys, options.CounterFailover, options.RemoveUncertain));
        Assert.NotNull(right.GetRequiredService<IMemcachedClient>().NodeOf("a key with spaces"));

        await using ServiceProvider none = From(("OperationTimeout", "00:00:01"));
        Assert.Contains("name at least one server", Assert.Throws<OptionsValidationException>(none.GetRequiredService<IMemcachedClient>).Message, StringComparison.Ordinal);
        await using ServiceProvider unknown = From(("Servers", Nowhere), ("IllegalKey", "Hash"));
        Assert.Contains("'IllegalKeys'", Assert.Throws<InvalidOperationException>(unknown.GetRequiredService<IMemcachedClient>).Message, StringComparison.Ordinal);
        Assert.Throws<OptionsValidationException>(() => new MemcachedClient(new MemcachedClientOptions()));
        Assert.Throws<ArgumentNullException>(() => new MemcachedClient((MemcachedClientOptions)null!));
    }

    [Fact]
    public async Task A_client_that_has_been_disposed_says_so()
    {
        var client = new MemcachedClient(new MemcachedClientOptions { Servers = [Nowhere] });
        await client.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.GetAsync<string>("k"));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetManyAsync<string>(["k"]));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetStatisticsAsync());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.PingAsync());
        Assert.Throws<ObjectDisposedException>(() => client.Set("k", "v"));
    }

    private static ServiceProvider From(params (string Name, string Value)[] values)
        => new ServiceCollection()
            .AddMemcachedClient(new ConfigurationBuilder()
                .AddInMemoryCollection(values.Select(static pair => KeyValuePair.Create(pair.Name, (string?)pair.Value)))
                .Build())
            .BuildServiceProvider();
}
