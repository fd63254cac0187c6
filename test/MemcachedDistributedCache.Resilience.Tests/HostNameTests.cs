using System.Net;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>What a name may do to a cache: lead back to a server that it led to before, or nowhere, for ever.</summary>
public sealed class HostNameTests
{
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedFact]
    public async Task A_name_that_leads_back_brings_nothing_back()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartBesideAsync(first, IPAddress.Parse("127.0.0.5"));
        var names = new OneName { Address = first.EndPoint.Address };
        await using MemcachedCache cache = On(names, first.EndPoint.Port, new HastyTimeProvider(10), TimeSpan.FromSeconds(20));
        await cache.SetAsync("key", [1], Default);
        Assert.Equal(new byte[] { 1 }, await cache.GetAsync("key"));
        for (byte version = 2; version < 6; version++)
        {
            names.Address = version % 2 == 0 ? second.EndPoint.Address : first.EndPoint.Address;
            byte[] latest = [version];
            await Eventually.True(
                () =>
                {
                    byte[]? read = cache.GetAsync("key").GetAwaiter().GetResult();
                    Assert.True(read is null || read[0] == version - 1, $"version {read?[0]} is older than {version - 1}");
                    return read is null;
                },
                "the other server is asked, whose older value is not read");
            await Eventually.True(
                () =>
                {
                    cache.Set("key", latest, Default);
                    byte[]? read = cache.GetAsync("key").GetAwaiter().GetResult();
                    Assert.True(read is null || read[0] == version, $"version {read?[0]} is older than {version}");
                    return read is not null;
                },
                "what is stored there is read");
        }
    }

    [Fact]
    public async Task A_name_of_which_nothing_is_ever_heard_keeps_no_cache_from_ending()
    {
        var names = new OneName();
        MemcachedCache cache = On(names, 11211);
        Assert.Null(await cache.GetAsync("key").WaitAsync(Eventually.Limit));
        await cache.DisposeAsync().AsTask().WaitAsync(Eventually.Limit);
    }

    [MemcachedFact]
    public async Task A_question_that_is_never_answered_is_asked_again()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        var names = new OneName();
        await using MemcachedCache cache = On(names, server.EndPoint.Port);
        Assert.Null(await cache.GetAsync("key").WaitAsync(Eventually.Limit));
        names.Address = server.EndPoint.Address;
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Up, "the next question finds the server");
    }

    private static MemcachedCache On(OneName names, int port, TimeProvider? ioTime = null, TimeSpan? limit = null) => new(
        new MemcachedCacheOptions
        {
            Servers = [$"mc.test:{port}"],
            OperationTimeout = limit ?? TimeSpan.FromSeconds(2),
            ConnectTimeout = (limit ?? TimeSpan.FromSeconds(2)) / 4,
            DnsRefreshInterval = TimeSpan.FromSeconds(1),
        },
        loggerFactory: null,
        timeProvider: null,
        meterFactory: null,
        name: null,
        names,
        ioTime);

    /// <summary>Knows one address, or says nothing at all.</summary>
    private sealed class OneName : NameResolver
    {
        private IPAddress? _address;

        public IPAddress? Address
        {
            set => Volatile.Write(ref _address, value);
        }

        public override Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
            => Volatile.Read(ref _address) is { } address ? Task.FromResult<IPAddress[]>([address]) : new TaskCompletionSource<IPAddress[]>().Task;

        public override IPAddress[] Resolve(string host) => ResolveAsync(host, CancellationToken.None).GetAwaiter().GetResult();
    }
}
