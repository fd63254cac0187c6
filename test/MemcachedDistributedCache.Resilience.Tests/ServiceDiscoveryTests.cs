using System.Net;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A DNS server whose SRV records name real servers.</summary>
public sealed class ServiceDiscoveryTests
{
    private const string Service = "_memcached._tcp.mc.default.svc";

    [MemcachedFact]
    public async Task Servers_are_found_with_their_ports_and_weights_and_followed()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedProcess third = await MemcachedProcess.StartAsync();
        await using var dns = new NameServer();
        dns.Set(Service + ".cluster.local", Pod(0, first, 33), Pod(1, second, 33), new NameServer.Record("spare.test", 1, 0, Priority: 9));
        var logger = new RecordingLogger();
        await using MemcachedCache cache = On(dns, logger, "other.local", "cluster.local");
        Assert.Equal([Name(0, first), Name(1, second)], Servers(cache));
        Assert.Equal([Service, Service + ".other.local", Service + ".cluster.local"], dns.Asked.Take(3));
        await cache.SetAsync("key", [1], new DistributedCacheEntryOptions());
        Assert.Equal([1], await cache.GetAsync("key"));

        // DNS shuffles its answers, and Kubernetes shares the weight anew: that is no change.
        dns.Set(Service + ".cluster.local", Pod(1, second, 50), Pod(0, first, 50));
        int asked = dns.Asked.Count;
        await Eventually.True(() => dns.Asked.Count > asked + 6, "it is asked again");
        Assert.Equal(1, logger.Count("names 2 memcached servers"));

        dns.Set(Service + ".cluster.local", Pod(2, third, 10), Pod(0, first, 30));
        await Eventually.True(() => Servers(cache) is [var a, var b] && a == Name(0, first) && b == Name(2, third), "the third is there, the second is not");
        await cache.ReadableAsync();
    }

    [MemcachedFact]
    public async Task Without_records_the_servers_stay()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using var dns = new NameServer();
        dns.Set(Service, Pod(0, first));
        var logger = new RecordingLogger();
        await using MemcachedCache cache = On(dns, logger);
        (Action Change, string Reason)[] changes =
        [
            (() => dns.Code = 2, "Server Failure"),
            (() => { dns.Code = 0; dns.Set(Service); }, "has no SRV records"),
            (() => dns.Set(Service, new NameServer.Record(".", 11211)), "has no SRV records"),
            (() => dns.Set(Service, Pod(0, first), new NameServer.Record("mc-1.test", 0)), "which is no server"),
            (() => dns.IsSilent = true, "timed out"),
        ];
        foreach ((Action change, string reason) in changes)
        {
            int before = logger.Count(reason);
            change();
            await Eventually.True(() => logger.Count(reason) > before || reason == "has no SRV records" && before == 1, $"'{reason}' is logged");
        }

        Assert.Equal(changes.Length - 1, logger.Count("does not tell which"));
        Assert.Equal([Name(0, first)], Servers(cache));
        dns.IsSilent = false;
        dns.Set(Service, Pod(5, first));
        await Eventually.True(() => Servers(cache) is [var server] && server == Name(5, first), "it is heard again");
    }

    private static NameServer.Record Pod(int number, MemcachedProcess server, int weight = 0) => new($"mc-{number}.Test", server.EndPoint.Port, weight);

    private static string Name(int number, MemcachedProcess server) => $"mc-{number}.test:{server.EndPoint.Port}";

    private static string[] Servers(MemcachedCache cache) => [.. cache.GetNodes().Select(static node => node.Server)];

    private static MemcachedCache On(NameServer dns, RecordingLogger logger, params string[] searchDomains)
    {
        var options = new MemcachedCacheOptions
        {
            Discovery = Service,
            DiscoveryInterval = TimeSpan.FromSeconds(1),
            Namespace = "service",
            FailureMode = MemcachedFailureMode.Throw,
            OperationTimeout = TimeSpan.FromSeconds(20),
            ConnectTimeout = TimeSpan.FromSeconds(6),
        };
        return new MemcachedCache(options, logger, null, null, null, new Pods(dns, searchDomains), new HastyTimeProvider(10));
    }

    /// <summary>All names lead to this machine.</summary>
    private sealed class Pods(NameServer dns, string[] searchDomains) : NameResolver
    {
        public override ServiceResolver Services { get; } = new([dns.EndPoint], searchDomains);

        public override Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => Task.FromResult(Resolve(host));

        public override IPAddress[] Resolve(string host) => [IPAddress.Loopback];
    }
}
