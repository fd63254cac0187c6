using System.Diagnostics.Metrics;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging.Abstractions;

namespace MemcachedDistributedCache.IntegrationTests.Telemetry;

public sealed class CostTests
{
    private const int Requests = 2000;

    /// <summary>Counted on the thread that calls, where nothing else allocates: a request from its encoding to its result.</summary>
    [MemcachedFact]
    public async Task A_request_allocates_nothing_whether_it_is_timed_or_not()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        using var meters = new OneMeter();
        await using ServerCluster cluster = ClusterOn(server, meters);
        var client = new ClusterClient(cluster);
        Assert.Equal(0, BytesPerRequest(client));

        long seen = 0;
        using (var listener = new MeterListener { InstrumentPublished = (instrument, self) => Enable(instrument, self, meters) })
        {
            listener.SetMeasurementEventCallback<double>((_, _, tags, _) => seen += tags.Length > 0 ? 1 : 0);
            listener.Start();
            Assert.Equal(0, BytesPerRequest(client));
        }

        Assert.Equal(2 * Requests, seen);
        Assert.Equal(0, BytesPerRequest(client));
        Assert.Equal(2 * Requests, seen);
    }

    private static long BytesPerRequest(ClusterClient client)
    {
        Ask(client);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Ask(client);
        return (GC.GetAllocatedBytesForCurrentThread() - before) / Requests;
    }

    private static void Ask(ClusterClient client)
    {
        for (int i = 0; i < Requests; i++)
        {
            ValueTask<OperationResult> result = client.GetAsync(
                Protocol.WireKey.Of("missing"u8),
                ReadRequirements.None,
                ValueTarget.OwnArray,
                CallMode.Sync,
                CancellationToken.None);
            Assert.True(result.IsCompleted && result.Result.Status == ResultStatus.Miss);
        }
    }

    private static void Enable(Instrument instrument, MeterListener listener, OneMeter meters)
    {
        if (ReferenceEquals(instrument.Meter, meters.Meter))
        {
            listener.EnableMeasurementEvents(instrument);
        }
    }

    private static ServerCluster ClusterOn(MemcachedProcess server, OneMeter meters)
    {
        Assert.True(ServerSpec.TryParse(server.Server, out ServerSpec? spec, out _));
        var settings = new ClusterSettings
        {
            Connections = new ConnectionSettings
            {
                Factory = new TcpConnectionFactory(NameResolver.System),
                Clock = new OperationClock(TimeProvider.System, TimeSpan.FromSeconds(10)),
                HasPrefix = EntryFormat.HasPrefix,
                TimeProvider = TimeProvider.System,
                Telemetry = new CacheTelemetry(MetricHub.Of(meters), null, TimeProvider.System),
                ConnectTimeout = TimeSpan.FromSeconds(10),
                IdleTimeout = Timeout.InfiniteTimeSpan,
                MaximumPendingOperations = 1000,
                MaximumBufferedBytes = 1024 * 1024,
            },
            OperationTimeout = TimeSpan.FromSeconds(10),
            ConnectionsPerNode = 1,
            ReconnectDelay = TimeSpan.FromMilliseconds(100),
            MaximumUncertainKeys = 100,
            ProbeKey = "probe"u8.ToArray(),
            GutterSeconds = 30,
            DnsRefreshInterval = Timeout.InfiniteTimeSpan,
            NewCircuit = static () =>
                new CircuitBreaker(
                    new BreakerSettings
                    {
                        FailureRatio = 0.5,
                        MinimumThroughput = 20,
                        SamplingDuration = TimeSpan.FromSeconds(5),
                        Delay = TimeSpan.FromMilliseconds(100),
                        MaximumDelay = TimeSpan.FromSeconds(1),
                    },
                    TimeProvider.System),
        };
        return new ServerCluster(settings, [spec], NameResolver.System, NullLogger.Instance);
    }

    private sealed class OneMeter : IMeterFactory
    {
        public Meter? Meter { get; private set; }

        public Meter Create(MeterOptions options) => Meter ??= new Meter(options);

        public void Dispose() => Meter?.Dispose();
    }
}
