using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging.Abstractions;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>Large values have a connection of their own, which small ones do not wait for.</summary>
public sealed class LargeValueTests
{
    private const int SmallKeys = 64;
    private const int LargeKeys = 16;
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedFact]
    public async Task Small_and_large_values_are_read_side_by_side_on_one_connection_more()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        long before = await ConnectionsAsync(server);
        await using MemcachedCache cache = Caches.On(server.EndPoint);
        for (int key = 0; key < SmallKeys + LargeKeys; key++)
        {
            await cache.SetAsync(Name(key), KeyedValues.Create(key, 1, LengthOf(key)), Default);
        }

        // Some of the large ones are replaced meanwhile, by one or by several kilobytes, and grow again: what a read
        // finds is no older than what was there as it began.
        int[] written = [.. Enumerable.Repeat(1, SmallKeys + LargeKeys)];
        Task readers = Task.WhenAll(Enumerable.Range(0, 24).Select(reader => Task.Run(async () =>
        {
            var random = new Random(reader);
            for (int i = 0; i < (reader < 16 ? 500 : 100); i++)
            {
                int key = reader < 16 ? random.Next(SmallKeys) : SmallKeys + random.Next(LargeKeys);
                int oldest = Volatile.Read(ref written[key]);
                byte[]? value = await cache.GetAsync(Name(key));
                Assert.NotNull(value);
                Assert.True(KeyedValues.VersionOf(key, value) >= oldest, $"key {key}: a version older than {oldest}");
            }
        })));
        for (int version = 2; !readers.IsCompleted; version++)
        {
            int key = SmallKeys + (version % LargeKeys);
            await cache.SetAsync(Name(key), KeyedValues.Create(key, version, version % 3 == 0 ? 3000 : LengthOf(key)), Default);
            Volatile.Write(ref written[key], version);
        }

        await readers;

        // One that is the cache's own, one for large values, and one that asks.
        Assert.Equal(3, await ConnectionsAsync(server) - before);
        Assert.All(cache.GetNodes(), static node => Assert.Equal((0L, 0L), (node.Errors, node.Timeouts)));
    }

    [MemcachedFact]
    public async Task One_that_is_replaced_by_a_small_one_is_read_on_the_ordinary_connection_again()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        var factory = new RecordingFactory();
        await using var cluster = new ServerCluster(
            SettingsOf(factory),
            [new ServerSpec(new ServerAddress(server.EndPoint.Address.ToString(), server.EndPoint.Port), 1)],
            NameResolver.System,
            NullLogger.Instance);
        var client = new ClusterClient(cluster);
        await StoreAsync(client, KeyedValues.Create(1, 1, 300_000));
        await Eventually.True(
            () => ReadAsync(client).GetAwaiter().GetResult() == 1 && factory.Opened.Count == 2 && factory.Opened[1].Reads != 0,
            "it is read on the second connection");
        (int ordinary, int own) = (factory.Opened[0].Reads, factory.Opened[1].Reads);
        Assert.Equal(1, await ReadAsync(client));
        Assert.Equal((ordinary, own + 1), (factory.Opened[0].Reads, factory.Opened[1].Reads));

        await StoreAsync(client, KeyedValues.Create(1, 2, 300));
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(2, await ReadAsync(client));
        }

        Assert.Equal((ordinary + 2, own + 2), (factory.Opened[0].Reads, factory.Opened[1].Reads));
        await StoreAsync(client, KeyedValues.Create(1, 3, 300_000));
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(3, await ReadAsync(client));
        }

        Assert.Equal((ordinary + 3, own + 4), (factory.Opened[0].Reads, factory.Opened[1].Reads));
        Assert.Equal(2, factory.Opened.Count);
    }

    private static string Name(int key) => "value " + key;

    private static int LengthOf(int key) => key < SmallKeys ? 100 + key : 150_000 + (key * 1000);

    private static async Task<long> ConnectionsAsync(MemcachedProcess server)
        => long.Parse((await server.StatsAsync())["total_connections"], CultureInfo.InvariantCulture);

    private static async Task StoreAsync(ClusterClient client, byte[] value)
        => Assert.Equal(
            ResultStatus.Success,
            (
                await client.StoreAsync(
                    Protocol.WireKey.Of("key"u8),
                    new Item(default, new ReadOnlySequence<byte>(value), 0, 600, int.MaxValue),
                    CallMode.Async,
                    CancellationToken.None)).Status);

    private static async Task<int> ReadAsync(ClusterClient client)
        => KeyedValues.VersionOf(
            1,
            (
                await client.GetAsync(
                    Protocol.WireKey.Of("key"u8),
                    ReadRequirements.None,
                    ValueTarget.OwnArray,
                    CallMode.Async,
                    CancellationToken.None)).Value);

    private static ClusterSettings SettingsOf(ConnectionFactory factory) => new()
    {
        Connections = new ConnectionSettings
        {
            Factory = factory,
            Clock = new OperationClock(TimeProvider.System, TimeSpan.FromSeconds(10)),
            HasPrefix = static _ => false,
            TimeProvider = TimeProvider.System,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            IdleTimeout = Timeout.InfiniteTimeSpan,
            MaximumPendingOperations = 1000,
            MaximumBufferedBytes = 1_000_000,
        },
        OperationTimeout = TimeSpan.FromSeconds(10),
        ConnectionsPerNode = 1,
        MaximumUncertainKeys = 1000,
        ProbeKey = [(byte)'#', (byte)'?'],
        ReconnectDelay = TimeSpan.FromMilliseconds(100),
        GutterSeconds = 0,
        DnsRefreshInterval = Timeout.InfiniteTimeSpan,
        NewCircuit = static () => new CircuitBreaker(
            new BreakerSettings { FailureRatio = 0.5, MinimumThroughput = 20, SamplingDuration = TimeSpan.FromSeconds(10), Delay = TimeSpan.FromMilliseconds(100), MaximumDelay = TimeSpan.FromSeconds(2) },
            TimeProvider.System),
    };

    /// <summary>Opens sockets and counts the reads on each.</summary>
    private sealed class RecordingFactory : ConnectionFactory
    {
        private readonly TcpConnectionFactory _inner = new(NameResolver.System);
        private readonly ConcurrentQueue<Recorded> _opened = [];

        public IReadOnlyList<Recorded> Opened => [.. _opened];

        public override async Task<IAsyncTransport> ConnectAsync(ServerAddress address, TimeSpan connectTimeout, CancellationToken cancellationToken)
        {
            var recorded = new Recorded(await _inner.ConnectAsync(address, connectTimeout, cancellationToken));
            _opened.Enqueue(recorded);
            return recorded;
        }

        public override IBlockingTransport Connect(ServerAddress address, TimeSpan connectTimeout, TimeSpan sendTimeout)
            => throw new NotSupportedException("Nobody blocks.");
    }

    private sealed class Recorded(IAsyncTransport inner) : IAsyncTransport
    {
        private int _reads;

        public int Reads => Volatile.Read(ref _reads);

        public System.Net.IPAddress? RemoteAddress => inner.RemoteAddress;

        public ValueTask<int> ReceiveAsync(Memory<byte> buffer) => inner.ReceiveAsync(buffer);

        public ValueTask SendAsync(ReadOnlyMemory<byte> data)
        {
            Interlocked.Add(
                ref _reads,
                Encoding
                    .Latin1.GetString(data.Span)
                    .Split("\r\n")
                    .Count(static line => line.StartsWith("mg key ", StringComparison.Ordinal) || line == "gets key"));
            return inner.SendAsync(data);
        }

        public void Dispose() => inner.Dispose();
    }
}
