using System.Net;
using MemcachedDistributedCache.Transport;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Several DNS servers, of which some fail.</summary>
public sealed class ServiceResolverTests : IAsyncLifetime
{
    private const string Service = "_memcached._tcp.mc";
    private const string Found = Service + ".default.svc";

    private readonly NameServer _good = new();
    private readonly NameServer _other = new();

    public Task InitializeAsync()
    {
        _good.Set(Found, new NameServer.Record("mc-0.test", 11211));
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _good.DisposeAsync();
        await _other.DisposeAsync();
    }

    [Fact]
    public void A_second_name_server_that_is_dead_keeps_nobody_from_the_search_domains()
    {
        _other.IsSilent = true;
        AssertFound(Asking(_good.EndPoint, _other.EndPoint), TimeSpan.FromMinutes(1));
        Assert.Empty(_other.Asked);
    }

    [Fact]
    public void A_first_name_server_that_is_silent_is_waited_for_once()
    {
        _other.IsSilent = true;
        ServiceResolver resolver = Asking(_other.EndPoint, _good.EndPoint);
        AssertFound(resolver, TimeSpan.FromSeconds(2));
        AssertFound(resolver, TimeSpan.FromSeconds(2));
        Assert.Equal(1, _other.Silences);
        Assert.Empty(_other.Asked);
    }

    [Fact]
    public void A_name_server_that_has_failed_is_not_believed_and_the_next_is_asked()
    {
        _other.Code = 2;
        AssertFound(Asking(_other.EndPoint, _good.EndPoint), TimeSpan.FromMinutes(1));
        _good.Code = 5;
        (IReadOnlyList<ServiceRecord> records, string? error) = Asking(_other.EndPoint, _good.EndPoint).Resolve(Service, TimeSpan.FromMinutes(1));
        Assert.Empty(records);
        Assert.Contains("Refused", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_is_nowhere_says_so()
    {
        (IReadOnlyList<ServiceRecord> records, string? error) = Asking(_good.EndPoint, _other.EndPoint).Resolve("_none._tcp.mc", TimeSpan.FromMinutes(1));
        Assert.Empty(records);
        Assert.Contains("Non-Existent Domain", error, StringComparison.Ordinal);
        Assert.Equal(["_none._tcp.mc", "_none._tcp.mc.other.svc", "_none._tcp.mc.default.svc"], _good.Asked);
        Assert.Empty(_other.Asked);
    }

    private static void AssertFound(ServiceResolver resolver, TimeSpan limit)
    {
        (IReadOnlyList<ServiceRecord> records, string? error) = resolver.Resolve(Service, limit);
        Assert.Null(error);
        Assert.Equal(new ServiceRecord("mc-0.test", 11211, 0), Assert.Single(records));
    }

    private static ServiceResolver Asking(params IPEndPoint[] servers) => new(servers, ["other.svc", "default.svc"]);
}
