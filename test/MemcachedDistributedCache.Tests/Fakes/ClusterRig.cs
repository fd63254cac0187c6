using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>Makes clusters of one node on fake transports and a clock that the test moves.</summary>
internal static class ClusterRig
{
    /// <summary>What a request on a fake transport ends with: its token.</summary>
    public static string TokenOf(string request) => request.TrimEnd('\r', '\n').Split(' ', '\r').Last(static word => word.StartsWith('O'));

    public static ServerCluster Start(
        FakeFactory factory,
        TimeProvider time,
        ILogger logger,
        int connections = 1,
        int maximumUncertain = 1000,
        TimeSpan? attemptLimit = null,
        TimeSpan? idle = null,
        TimeSpan? connect = null)
        => new(
            Settings(factory, time, connections, maximumUncertain, attemptLimit, idle, connect),
            [new ServerSpec(new ServerAddress("mc1", 11211), 1)],
            NameResolver.System,
            logger);

    public static ClusterSettings Settings(
        FakeFactory factory,
        TimeProvider time,
        int connections = 1,
        int maximumUncertain = 1000,
        TimeSpan? attemptLimit = null,
        TimeSpan? idle = null,
        TimeSpan? connect = null) => new ClusterSettings
    {
        Connections = new ConnectionSettings
        {
            Factory = factory,
            Clock = new OperationClock(time, attemptLimit ?? TimeSpan.FromSeconds(1)),
            HasPrefix = static _ => false,
            TimeProvider = time,
            ConnectTimeout = connect ?? TimeSpan.FromSeconds(2),
            IdleTimeout = idle ?? Timeout.InfiniteTimeSpan,
            MaximumPendingOperations = 1000,
            MaximumBufferedBytes = 1_000_000,
        },
        OperationTimeout = TimeSpan.FromSeconds(1),
        ConnectionsPerNode = connections,
        MaximumUncertainKeys = maximumUncertain,
        ProbeKey = [(byte)'#', (byte)'?'],
        ReconnectDelay = TimeSpan.FromMilliseconds(100),
        GutterSeconds = 0,
        DnsRefreshInterval = Timeout.InfiniteTimeSpan,
        NewCircuit = () => new CircuitBreaker(
            new BreakerSettings { FailureRatio = 0.5, MinimumThroughput = 20, SamplingDuration = TimeSpan.FromSeconds(5), Delay = TimeSpan.FromMilliseconds(100), MaximumDelay = TimeSpan.FromSeconds(2) },
            time),
    };
}
