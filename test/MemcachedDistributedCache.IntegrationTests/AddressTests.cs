using System.Net;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

public sealed class AddressTests
{
    [MemcachedTheory]
    [InlineData("127.0.0.1", "127.0.0.1:{0}")]
    [InlineData("127.0.0.1", "localhost:{0}")] // the resolver may name ::1 first, where nobody listens
    [InlineData("127.0.0.1", "LOCALHOST:{0};weight=3")]
    [InlineData("127.0.0.1", "[::ffff:127.0.0.1]:{0}")]
    [InlineData("::1", "[::1]:{0}")]
    [InlineData("::1", "[0:0:0:0:0:0:0:1]:{0}")]
    public async Task A_server_is_reached_by_address_and_by_name(string address, string server)
    {
        var ip = IPAddress.Parse(address);
        await using MemcachedProcess process = await MemcachedProcess.StartAsync(ip, new Dictionary<string, string>(StringComparer.Ordinal));
        await using MemcachedCache cache = Caches.On([server.Replace("{0}", process.EndPoint.Port.ToString(), StringComparison.Ordinal)]);
        await cache.SetAsync("key", [1], new DistributedCacheEntryOptions());
        Assert.Equal(new byte[] { 1 }, await cache.GetAsync("key"));
        Assert.Equal(new byte[] { 1 }, cache.Get("key"));
    }

    [MemcachedFact]
    public async Task Two_names_of_one_server_are_told_once()
    {
        await using MemcachedProcess process = await MemcachedProcess.StartAsync();
        int port = process.EndPoint.Port;
        var log = new RecordingLogger();
        await using var cache = new MemcachedCache(
            new MemcachedCacheOptions
            {
                Servers = [$"localhost:{port}", $"127.0.0.1:{port}"],
                Protocol = Caches.Protocol,
                FailureMode = MemcachedFailureMode.Throw,
            },
            log);
        for (int i = 0; i < 64; i++)
        {
            await cache.SetAsync($"key:{i}", [1], new DistributedCacheEntryOptions());
            Assert.Equal(new byte[] { 1 }, cache.Get($"key:{i}"));
        }

        await Eventually.True(() => cache.GetNodes().All(static node => node.State == MemcachedNodeState.Up), "both nodes are up");
        await log.SeesAsync("lead to one address, 127.0.0.1:", 1);
    }

    [Fact]
    public async Task A_name_that_does_not_resolve_is_an_outage_and_no_more()
    {
        await using MemcachedCache cache = Caches.On(["no-such-host.invalid"], options => options.FailureMode = MemcachedFailureMode.Degrade);
        Assert.Null(await cache.GetAsync("key"));
        Assert.Null(cache.Get("key"));
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the node is down");
    }
}
