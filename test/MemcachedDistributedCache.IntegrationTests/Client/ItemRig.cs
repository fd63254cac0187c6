using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;

namespace MemcachedDistributedCache.IntegrationTests.Client;

/// <summary>The typed client's verbs on real servers, with texts for keys and values.</summary>
internal sealed class ItemRig : IAsyncDisposable
{
    private readonly CallMode _mode;

    public ItemRig(
        MemcachedProtocol protocol,
        CallMode mode,
        IReadOnlyList<MemcachedProcess> servers,
        int maximumUncertain = 1000,
        int largestKept = int.MaxValue)
    {
        _mode = mode;
        Cluster = new ServerCluster(Settings(protocol, maximumUncertain, largestKept), Specs(servers), NameResolver.System, NullLogger.Instance);
        Verbs = new ClusterClient(Cluster);
    }

    public ServerCluster Cluster { get; }

    public ClusterClient Verbs { get; }

    public static ServerSpec[] Specs(params IReadOnlyList<MemcachedProcess> servers)
        => [.. servers.Select(static server => new ServerSpec(new ServerAddress(server.EndPoint.Address.ToString(), server.EndPoint.Port), 1))];

    public static uint HashOf(string key) => HashRing.Hash(Encoding.UTF8.GetBytes(key));

    public static string Text(OperationResult result) => Encoding.UTF8.GetString(result.Value!, 0, result.Length);

    public Task<OperationResult> FetchAsync(string key, bool withValue = true, int? touchTo = null, CallMode? mode = null)
        => Verbs.FetchAsync(Key(key), HashOf(key), withValue, touchTo, ValueTarget.OwnArray, mode ?? _mode, CancellationToken.None).AsTask();

    public Task<OperationResult> PutAsync(
        string key,
        string value,
        StoreMode storeMode = StoreMode.Set,
        int timeToLive = 600,
        uint flags = 0,
        CasToken? cas = null,
        int? vivify = null,
        CallMode? mode = null)
    {
        var item = new Item(default, new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(value)), flags, timeToLive, int.MaxValue) { CasToken = cas };
        return Verbs
            .PutAsync(Key(key), HashOf(key), storeMode, item, vivify, ChangePolicy.RemoveIfUncertain, mode ?? _mode, CancellationToken.None)
            .AsTask();
    }

    public Task<OperationResult> IncrementAsync(string key, ulong delta = 1, ulong? initial = null, bool down = false, int timeToLive = 600)
        => Verbs
            .ChangeNumberAsync(Key(key), HashOf(key), down, delta, initial, timeToLive, ChangePolicy.None, _mode, CancellationToken.None)
            .AsTask();

    public Task<OperationResult> RemoveAsync(string key, CasToken? cas = null, int? stale = null)
        => Verbs.RemoveAsync(Key(key), HashOf(key), cas, stale, ChangePolicy.RemoveIfUncertain, _mode, CancellationToken.None).AsTask();

    public Task<OperationResult> TouchAsync(string key, int timeToLive)
        => Verbs.TouchAsync(Key(key), HashOf(key), timeToLive, _mode, CancellationToken.None).AsTask();

    /// <summary>Asks again while nothing was sent, because a fence is being renewed.</summary>
    public static async Task<OperationResult> SentAsync(Func<Task<OperationResult>> ask)
    {
        OperationResult result = default;
        await Eventually.True(
            async () =>
            {
                result = await ask();
                return result.Failure is not { WasSent: false };
            },
            "the change is sent");
        return result;
    }

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();

    private static WireKey Key(string key) => WireKey.Of(Encoding.UTF8.GetBytes(key));

    private static ClusterSettings Settings(MemcachedProtocol protocol, int maximumUncertain, int largestKept) => new()
    {
        Connections = new ConnectionSettings
        {
            Factory = new TcpConnectionFactory(NameResolver.System),
            Clock = new OperationClock(TimeProvider.System, TimeSpan.FromSeconds(10)),
            Protocol = protocol,
            HasPrefix = static flags => flags == 7,
            LargestKept = largestKept,
            TimeProvider = TimeProvider.System,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            IdleTimeout = Timeout.InfiniteTimeSpan,
            MaximumPendingOperations = 1000,
            MaximumBufferedBytes = 4_000_000,
        },
        OperationTimeout = TimeSpan.FromMilliseconds(100),
        ConnectionsPerNode = 1,
        MaximumUncertainKeys = maximumUncertain,
        ProbeKey = [(byte)'#', (byte)'?'],
        ReconnectDelay = TimeSpan.FromMilliseconds(100),
        GutterSeconds = 0,
        DnsRefreshInterval = Timeout.InfiniteTimeSpan,
        NewCircuit = static () => new CircuitBreaker(
            new BreakerSettings
            {
                FailureRatio = 0.5,
                MinimumThroughput = 20,
                SamplingDuration = TimeSpan.FromSeconds(10),
                Delay = TimeSpan.FromMilliseconds(100),
                MaximumDelay = TimeSpan.FromSeconds(2),
            },
            TimeProvider.System),
    };
}
