using System.Globalization;
using System.Net.Sockets;
using System.Net;
using System.Text;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Servers join and leave while the application runs.</summary>
public sealed class TopologyTests
{
    private const int Keys = 60;

    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedFact]
    public async Task The_configuration_is_followed_and_a_wrong_one_is_not()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        var logger = new RecordingLogger();
        IConfigurationRoot configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?> { ["Memcached:Servers"] = first.Server, ["Memcached:Namespace"] = "topology:" })
            .Build();
        await using ServiceProvider provider = new ServiceCollection()
            .AddSingleton<ILoggerFactory>(logger)
            .AddMemcachedDistributedCache(configuration.GetSection("Memcached"))
            .BuildServiceProvider();
        MemcachedCache cache = provider.GetRequiredService<MemcachedCache>();
        await SetAllAsync(cache, 1);

        Change($"{first.Server},{second.Server}");
        await Eventually.True(() => cache.GetNodes().Count == 2, "the second server has joined");
        await cache.ReadableAsync();
        int kept = (await ReadAllAsync(cache)).Count(static version => version == 1);
        Assert.InRange(kept, 5, Keys - 5); // the second server's share is cold, the rest is where it was

        Assert.ThrowsAny<Exception>(() => Change("not a server")); // whoever reloads by hand hears it from the options themselves
        await logger.SeesAsync("cannot be used", 1);
        await logger.SeesAsync("'not a server' is not a server", 1);
        Assert.Equal(2, cache.GetNodes().Count);
        Assert.Equal(kept, (await ReadAllAsync(cache)).Count(static version => version == 1));

        Change(second.Server);
        await Eventually.True(() => cache.GetNodes().Count == 1, "the first server has left");
        Assert.Equal(second.Server, cache.GetNodes()[0].Server);

        // What has changed hands is read as soon as its new owner has told how far it has counted.
        bool all = false;
        while (!all)
        {
            await SetAllAsync(cache, 2);
            int?[] read = await ReadAllAsync(cache);
            Assert.All(read, static version => Assert.True(version is null or 2, $"version {version}"));
            all = Array.TrueForAll(read, static version => version == 2);
        }

        void Change(string servers)
        {
            configuration["Memcached:Servers"] = servers;
            configuration.Reload();
        }
    }

    [MemcachedFact]
    public async Task Operations_under_way_are_not_dropped_while_servers_come_and_go()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedProcess third = await MemcachedProcess.StartAsync();
        string[][] settings =
        [
            [first.Server],
            [first.Server, second.Server],
            [first.Server, second.Server, third.Server],
            [second.Server, third.Server],
            [first.Server, third.Server + ";weight=3"],
        ];
        await using MemcachedCache cache = Caches.On(
            settings[0],
            static options => options.OperationTimeout = options.ConnectTimeout = TimeSpan.FromSeconds(30),
            ioTime: new HastyTimeProvider(10)); // it throws whatever fails
        var over = new ManualResetEventSlim();
        int[] reads = new int[16];
        Task[] callers =
        [
            .. Enumerable
                .Range(0, reads.Length)
                .Select(caller =>
                    Task.Run(async () =>
                    {
                        for (int version = 1; !over.IsSet; version++)
                        {
                            await cache.SetAsync(Name(caller), BitConverter.GetBytes(version), Default);
                            byte[]? value = await cache.GetAsync(Name(caller));
                            Assert.True(
                                value is null || BitConverter.ToInt32(value) == version,
                                $"caller {caller} read {value?.Length} bytes of another version than {version}");
                            reads[caller] += value is null ? 0 : 1;
                        }
                    })),
        ];
        for (int i = 1; i <= 60; i++)
        {
            int[] before = [.. reads];
            await cache.ReloadAsync(settings[i % settings.Length]);
            await Eventually.True(
                () =>
                    callers.Any(static caller => caller.IsCompleted)
                    || Enumerable.Range(0, reads.Length).All(caller => reads[caller] > before[caller] + 2),
                $"all callers find their values after change {i}");
        }

        over.Set();
        await Task.WhenAll(callers).WaitAsync(Eventually.Limit);
    }

    [MemcachedTheory]
    [InlineData(1)]
    [InlineData(25)] // more changes than are remembered
    public async Task A_server_that_joins_again_gives_out_nothing_of_before_it_left(int rounds)
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(
            [first.Server, second.Server],
            static options => options.OperationTimeout = options.ConnectTimeout = TimeSpan.FromSeconds(20),
            ioTime: new HastyTimeProvider(10));
        byte version = 0;
        for (int round = 0; round < rounds; round++)
        {
            await SetAllAsync(cache, ++version);
            await ReloadAsync(first.Server);
            Assert.All(
                await ReadAllAsync(cache),
                read => Assert.True(read is null || read == version, $"version {read} instead of {version}, the second away, round {round}"));

            // The second has the older values of what it owned, and so, when it is back, has the first.
            await SetAllAsync(cache, ++version);
            await ReloadAsync(first.Server, second.Server);
            Assert.All(
                await ReadAllAsync(cache),
                read => Assert.True(read is null || read == version, $"version {read} instead of {version}, the second back, round {round}"));
        }

        await cache.ReadableAsync();
        await Eventually.True(
            () =>
            {
                SetAllAsync(cache, 255).GetAwaiter().GetResult();
                return ReadAllAsync(cache).GetAwaiter().GetResult().All(static read => read == 255);
            },
            "all is read as it is written");

        Task ReloadAsync(params string[] servers) => cache.ReloadAsync(servers);
    }

    [MemcachedFact]
    public async Task A_server_that_restarts_after_a_change_is_read_again()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On([first.Server], static options => options.FailureMode = MemcachedFailureMode.Degrade);
        await using MemcachedCache other = Caches.On([second.Server]);
        await SetAllAsync(other, 1); // so that its numbers are high
        await cache.ReloadAsync([first.Server, second.Server]);
        await cache.ReadableAsync();
        await second.KillAsync();
        await second.StartAgainAsync();
        await Eventually.True(
            () =>
            {
                // Asynchronously: a synchronous write that fails is uncertain for seconds.
                return Enumerable.Range(0, 20).All(i =>
                {
                    cache.SetAsync(Name(i), [2], Default).GetAwaiter().GetResult();
                    return cache.GetAsync(Name(i)).GetAwaiter().GetResult() is [2];
                }) && cache.GetNodes().All(static node => node.State == MemcachedNodeState.Up);
            },
            "its new items are read, though their numbers are low");
    }

    [MemcachedFact]
    public async Task Each_address_of_a_name_is_a_node_and_one_that_changes_gives_its_share_away_and_takes_another()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartBesideAsync(first, IPAddress.Parse("127.0.0.2"));
        await using MemcachedProcess third = await MemcachedProcess.StartBesideAsync(first, IPAddress.Parse("127.0.0.3"));
        await using MemcachedProcess fourth = await MemcachedProcess.StartBesideAsync(first, IPAddress.Parse("127.0.0.4"));
        var names = new Names { ["mc.test"] = [first.EndPoint.Address, second.EndPoint.Address, third.EndPoint.Address] };
        await using MemcachedCache cache = On(names, $"mc.test:{first.EndPoint.Port};addresses=each");
        await Eventually.True(() => cache.GetNodes().Count == 3, "three nodes");
        await SetAllAsync(cache, 1);
        Dictionary<string, long> before = cache.GetNodes().ToDictionary(static node => node.Server, static node => node.Hits);
        Assert.All(await ReadAllAsync(cache), static version => Assert.Equal(1, version));
        Dictionary<string, long> owned = cache.GetNodes().ToDictionary(static node => node.Server, node => node.Hits - before[node.Server]);
        Assert.All(owned.Values, static count => Assert.InRange(count, 3, Keys - 6));

        // The third moves to another address. Its keys go to all three, and of the others' the fourth takes its share.
        names["mc.test"] = [second.EndPoint.Address, fourth.EndPoint.Address, first.EndPoint.Address];
        await Eventually.True(
            () => cache.GetNodes().Any(node => node.Server == fourth.Server) && cache.GetNodes().Count == 3,
            "the fourth has joined in the place of the third");
        await cache.ReadableAsync();
        int kept = (await ReadAllAsync(cache)).Count(static version => version == 1);
        string?[] ownersBefore = Owners(first, second, third);
        string?[] ownersAfter = Owners(first, second, fourth);
        Assert.Equal(ownersBefore.Index().Count(key => key.Index < Keys && key.Item == ownersAfter[key.Index]), kept);

        // A third of all go away from the third, and a third of the rest to the fourth.
        double stayed = ownersBefore.Zip(ownersAfter, static (before, after) => before == after ? 1.0 : 0).Average();
        Assert.InRange(stayed, 4.0 / 9 - 0.12, 4.0 / 9 + 0.12);
        Assert.All(
            ownersBefore.Zip(ownersAfter),
            owner =>
                Assert.True(
                    owner.First == owner.Second || owner.First == third.Server || owner.Second == fourth.Server,
                    $"a key moved from {owner.First} to {owner.Second}"));

        // What cannot be resolved for a while stays as it is.
        names["mc.test"] = [];
        await names.AskedAsync(3);
        Assert.Equal(3, cache.GetNodes().Count);
        Assert.Equal(kept, (await ReadAllAsync(cache)).Count(static version => version == 1));
    }

    [MemcachedFact]
    public async Task A_name_that_cannot_be_resolved_at_the_start_is_misses_until_it_can()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        var names = new Names();
        await using MemcachedCache cache = On(names, $"mc.test:{server.EndPoint.Port};addresses=each");
        await cache.SetAsync("key", [1], Default);
        Assert.Null(await cache.GetAsync("key"));
        Assert.Empty(cache.GetNodes());
        names["mc.test"] = [server.EndPoint.Address];
        await Eventually.True(() => cache.GetNodes() is [{ State: MemcachedNodeState.Up }], "it is found");

        // What was set before makes all that the server holds uncertain, for as long as it takes to tell that from what is stored now.
        await Eventually.True(
            () =>
            {
                cache.Set("key", [1], Default);
                return cache.GetAsync("key").GetAwaiter().GetResult() is [1];
            },
            "what is stored is read");
    }

    [MemcachedFact]
    public async Task A_name_that_leads_elsewhere_is_followed_by_the_connections_that_are_open()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartBesideAsync(first, IPAddress.Parse("127.0.0.2"));
        var names = new Names { ["mc.test"] = [first.EndPoint.Address] };
        await using MemcachedCache cache = On(names, $"mc.test:{first.EndPoint.Port}");
        await cache.SetAsync("key", [1], Default);
        Assert.Equal(new byte[] { 1 }, cache.Get("key"));
        names["mc.test"] = [second.EndPoint.Address];
        await Eventually.True(() => cache.GetAsync("key").GetAwaiter().GetResult() is null, "the other server is asked, which does not have it");
        await Eventually.True(() => cache.Get("key") is null, "so do synchronous calls");
        await cache.ReadableAsync();
        await cache.SetAsync("key", [2], Default);
        Assert.StartsWith("VA 1", await second.CommandAsync("mg topology|key v", "\r\n"), StringComparison.Ordinal);
        Assert.Equal(new byte[] { 2 }, cache.Get("key"));
        Assert.Equal(MemcachedNodeState.Up, cache.GetNodes()[0].State);
    }

    [MemcachedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_changed_before_any_server_is_known_brings_nothing_older_back(bool removes)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        var names = new Names { ["mc.test"] = [server.EndPoint.Address] };
        string each = $"mc.test:{server.EndPoint.Port};addresses=each";
        await using MemcachedCache before = On(names, each);
        await SetAllAsync(before, 1);
        names["mc.test"] = [];
        await using MemcachedCache cache = On(names, each);
        Assert.Empty(cache.GetNodes());
        await (removes ? cache.RemoveAsync(Name(0)) : cache.SetAsync(Name(0), [2], Default));
        names["mc.test"] = [server.EndPoint.Address];
        await Eventually.True(() => cache.GetNodes() is [{ State: MemcachedNodeState.Up }], "the name is found");
        Assert.Null(await cache.GetAsync(Name(0)));
        await Eventually.True(
            () =>
            {
                cache.Set(Name(1), [3], Default);
                Assert.Null(cache.GetAsync(Name(0)).GetAwaiter().GetResult());
                return cache.GetAsync(Name(1)).GetAwaiter().GetResult() is [3];
            },
            "what is stored from now on is read");
        Assert.Null(await cache.GetAsync(Name(0)));
    }

    /// <summary>Who owns a key, of a great many.</summary>
    private static string?[] Owners(params MemcachedProcess[] servers)
    {
        var ring = new HashRing([.. servers.Select(static server => (server.Server, 1))]);
        return [.. Enumerable.Range(0, 20_000).Select(key => servers[ring.Find(HashRing.Hash(Encoding.ASCII.GetBytes("topology|" + Name(key))))].Server)];
    }

    private static MemcachedCache On(Names names, params string[] servers) => new(
        new MemcachedCacheOptions
        {
            Servers = servers,
            Namespace = "topology",
            OperationTimeout = TimeSpan.FromSeconds(30),
            ConnectTimeout = TimeSpan.FromSeconds(30),
            DnsRefreshInterval = TimeSpan.FromSeconds(1),
        },
        loggerFactory: null,
        timeProvider: null,
        meterFactory: null,
        name: null,
        names,
        ioTime: new HastyTimeProvider(10));

    private static async Task SetAllAsync(MemcachedCache cache, byte version)
    {
        for (int key = 0; key < Keys; key++)
        {
            await cache.SetAsync(Name(key), [version], Default);
        }
    }

    private static async Task<int?[]> ReadAllAsync(MemcachedCache cache)
        => [.. (await Task.WhenAll(Enumerable.Range(0, Keys).Select(key => cache.GetAsync(Name(key))))).Select(static value => (int?)value?[0])];

    private static string Name(int key) => "key" + key.ToString(CultureInfo.InvariantCulture);

    /// <summary>A name server of the test's own.</summary>
    private sealed class Names : NameResolver
    {
        private readonly Dictionary<string, IPAddress[]> _known = new(StringComparer.Ordinal);
        private readonly Lock _lock = new();
        private int _asked;

        public IPAddress[] this[string host]
        {
            set
            {
                lock (_lock)
                {
                    _known[host] = value;
                }
            }
        }

        public Task AskedAsync(int times)
        {
            int target = Volatile.Read(ref _asked) + times;
            return Eventually.True(() => Volatile.Read(ref _asked) >= target, "the name is asked for again");
        }

        public override Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
        {
            try
            {
                return Task.FromResult(Resolve(host));
            }
            catch (SocketException exception)
            {
                return Task.FromException<IPAddress[]>(exception);
            }
        }

        public override IPAddress[] Resolve(string host)
        {
            Interlocked.Increment(ref _asked);
            lock (_lock)
            {
                return _known.TryGetValue(host, out IPAddress[]? found) && found.Length != 0 ? found : throw new SocketException((int)SocketError.HostNotFound);
            }
        }
    }
}
