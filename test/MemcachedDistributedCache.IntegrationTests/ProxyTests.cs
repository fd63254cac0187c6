using System.Buffers;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>Proxies that pass no meta commands on, as docs/connecting.md promises them.</summary>
public sealed class ProxyTests : IAsyncLifetime, IDisposable
{
    /// <summary>The clock of removals that are made up for runs so many times faster.</summary>
    private const int Haste = 20;

    private static readonly DistributedCacheEntryOptions Sliding = new() { SlidingExpiration = TimeSpan.FromMinutes(1) };

    private readonly EmbeddedMemcached _server = EmbeddedMemcached.Start(new EmbeddedMemcachedOptions());
    private readonly RecordingLogger _logger = new();

    public static TheoryData<ProxyKind, MemcachedProtocol> Ways => new()
    {
        { ProxyKind.Twemproxy, MemcachedProtocol.Auto },
        { ProxyKind.Twemproxy, MemcachedProtocol.Classic },
        { ProxyKind.Mcrouter, MemcachedProtocol.Auto },
        { ProxyKind.Mcrouter, MemcachedProtocol.Classic },
    };

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _server.DisposeAsync();

    public void Dispose() => _logger.Dispose();

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Every_operation_works_behind_a_proxy(ProxyKind kind, MemcachedProtocol protocol)
    {
        await using ScriptedProxy proxy = Proxy(kind);
        await using MemcachedCache cache = On(proxy, protocol);
        for (int i = 0; i < 20; i++)
        {
            // What would be a command to a peer that is asked in the wrong way.
            byte[] value = System.Text.Encoding.ASCII.GetBytes($"quit\r\n{i}");
            await cache.SetAsync("async" + i, value, Sliding);
            cache.Set("sync" + i, value, new());
            Assert.Equal(value, await cache.GetAsync("async" + i));
            Assert.Equal(value, cache.Get("sync" + i));
        }

        await cache.RefreshAsync("async1");
        await cache.RemoveAsync("async1");
        Assert.Null(await cache.GetAsync("async1"));
        Assert.True(await cache.TryAddAsync("async1", new ReadOnlySequence<byte>([1]), new()));
        Assert.False(await cache.TryAddAsync("async1", new ReadOnlySequence<byte>([2]), new()));
        byte[] large = new byte[200_000];
        await cache.SetAsync("large", large, Sliding);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(large, await cache.GetAsync("large"));
        }

        Assert.All(await cache.PingAsync(Eventually.Limit), static ping => Assert.NotNull(ping.RoundTrip));
        await cache.QuietAsync();
        Assert.Equal((0L, MemcachedNodeState.Up), (cache.GetNodes()[0].Errors, cache.GetNodes()[0].State));

        // One for those who wait, one for those who block, one for large values; and what it took to find out.
        int asked = protocol == MemcachedProtocol.Classic ? 0 : kind == ProxyKind.Twemproxy ? 2 : 1;
        Assert.InRange(proxy.Accepted, 2 + asked, 3 + (2 * asked));
        string up = Assert.Single(_logger.Texts(LogLevel.Information), static text => text.Contains(" is up", StringComparison.Ordinal));
        Assert.Contains("asked by classic commands", up, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_hybrid_cache_works_behind_a_proxy(ProxyKind kind, MemcachedProtocol protocol)
    {
        await using ScriptedProxy proxy = Proxy(kind);
        await using ServiceProvider provider = Hybrid(proxy, protocol);
        await using ServiceProvider other = Hybrid(proxy, protocol);
        int runs = 0;
        for (int i = 0; i < 2; i++)
        {
            foreach (ServiceProvider one in (ServiceProvider[])[provider, other])
            {
                Assert.Equal("made", await one.GetRequiredService<HybridCache>().GetOrCreateAsync("key", _ =>
                {
                    runs++;
                    return ValueTask.FromResult("made");
                }));
            }
        }

        Assert.Equal(1, runs);
        await provider.GetRequiredService<HybridCache>().RemoveAsync("key");
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_server_that_is_away_behind_a_proxy_costs_no_connection(ProxyKind kind, MemcachedProtocol protocol)
    {
        await using ScriptedProxy proxy = Proxy(kind);
        proxy.IsServerAway = true;
        await using MemcachedCache cache = On(
            proxy,
            protocol,
            static options =>
            {
                options.FailureMode = MemcachedFailureMode.Degrade;
                options.MaximumRetries = 0;
            },
            new HastyTimeProvider(Haste));
        for (int i = 0; i < 10; i++)
        {
            Assert.Null(await cache.GetAsync("key"));
            await cache.SetAsync("key" + i, [1], new());
            Assert.All(await cache.PingAsync(Eventually.Limit), static ping => Assert.NotNull(ping.RoundTrip));
        }

        int accepted = proxy.Accepted;
        Assert.Equal((MemcachedNodeState.Up, 10L), (cache.GetNodes()[0].State, cache.GetNodes()[0].UncertainKeys));
        proxy.IsServerAway = false;
        await cache.ReadableAsync();
        await cache.SetAsync("key", [2], new());
        Assert.Equal([2], await cache.GetAsync("key"));
        Assert.Equal(accepted, proxy.Accepted);
        Assert.Equal(0, cache.GetNodes()[0].UncertainKeys);
    }

    [Theory]
    [InlineData("CLIENT_ERROR bad key")]
    [InlineData("ERROR")]
    [InlineData("SERVER_ERROR unavailable")]
    public async Task A_removal_that_is_refused_costs_no_connection_and_nobody_else_anything(string refusal)
    {
        await using ScriptedProxy proxy = Proxy(ProxyKind.Mcrouter);
        await using MemcachedCache cache = On(
            proxy,
            MemcachedProtocol.Classic,
            static options => options.MaximumRetries = 0,
            new HastyTimeProvider(Haste));
        await cache.SetAsync("key", [1], new());
        await cache.SetAsync("other", [2], new());
        int accepted = proxy.Accepted;
        proxy.RefusalOfRemovals = refusal;
        MemcachedUnavailableException exception = await Assert.ThrowsAsync<MemcachedUnavailableException>(() => cache.RemoveAsync("key"));
        Assert.Equal(MemcachedFailureReason.ServerError, exception.Reason);
        Assert.Contains(refusal, exception.Message, StringComparison.Ordinal);
        await _logger.SeesAsync("refuses to remove a key", 1);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal([2], await cache.GetAsync("other"));
            Assert.Null(await cache.GetAsync("key"));
        }

        proxy.RefusalOfRemovals = null;
        await cache.ReadableAsync();
        Assert.Equal(accepted, proxy.Accepted);
    }

    private static MemcachedCacheOptions Options(ScriptedProxy proxy, MemcachedProtocol protocol) => new()
    {
        Servers = [proxy.Address],
        Protocol = protocol,
        Topology = MemcachedTopology.Shared,
        FailureMode = MemcachedFailureMode.Throw,
        OperationTimeout = TimeSpan.FromSeconds(20),
    };

    private static ServiceProvider Hybrid(ScriptedProxy proxy, MemcachedProtocol protocol)
    {
        var services = new ServiceCollection();
        services.AddMemcachedHybridCache(options =>
        {
            options.Servers = [proxy.Address];
            options.Protocol = protocol;
            options.Topology = MemcachedTopology.Shared;
        });
        return services.BuildServiceProvider();
    }

    private ScriptedProxy Proxy(ProxyKind kind) => new(kind, _server.Nodes[0].EndPoint);

    private MemcachedCache On(
        ScriptedProxy proxy,
        MemcachedProtocol protocol,
        Action<MemcachedCacheOptions>? configure = null,
        TimeProvider? ioTime = null)
    {
        MemcachedCacheOptions options = Options(proxy, protocol);
        configure?.Invoke(options);
        return new MemcachedCache(options, _logger, null, null, null, ioTime: ioTime);
    }
}
