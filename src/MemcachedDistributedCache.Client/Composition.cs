using System.Globalization;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Options;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache;

/// <summary>Makes of the options what the parts of a client are given. All of them go by the I/O clock.</summary>
internal static class Composition
{
    /// <summary>The retry policy; null where nothing is retried.</summary>
    public static RetryPolicy? RetriesOf(MemcachedClientOptions options, TimeProvider ioTime) => options.MaximumRetries == 0 ? null : new RetryPolicy(
        new RetrySettings
        {
            MaximumRetries = options.MaximumRetries,
            Delay = options.RetryDelay,
            AttemptTimeout = EffectiveTimes.AttemptTimeout(options),
            TotalTimeout = options.OperationTimeout,
        },
        ioTime);

    /// <summary>The limits of a call in words.</summary>
    public static string LimitsOf(MemcachedClientOptions options)
    {
        TimeSpan attempt = EffectiveTimes.AttemptTimeout(options);
        return attempt == options.OperationTimeout
            ? string.Create(CultureInfo.InvariantCulture, $"{options.GetType().Name}.OperationTimeout ({attempt.TotalMilliseconds} ms)")
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{options.GetType().Name}.AttemptTimeout ({attempt.TotalMilliseconds} ms) in the last attempt, and OperationTimeout ({options.OperationTimeout.TotalMilliseconds} ms) or MaximumRetries ({options.MaximumRetries}) allowed no other");
    }

    /// <summary>The settings of the nodes.</summary>
    /// <param name="options">The options.</param>
    /// <param name="hasPrefix">Tells from client flags whether a prefix stands before the value.</param>
    /// <param name="largestKept">The largest value that is kept, prefix included, in bytes.</param>
    /// <param name="ioTime">The I/O clock.</param>
    /// <param name="names">Looks names up.</param>
    /// <param name="telemetry">Where the nodes report.</param>
    /// <param name="logger">Where replaced certificates report.</param>
    public static ClusterSettings ClusterSettingsOf(
        MemcachedClientOptions options,
        Func<uint, bool> hasPrefix,
        int largestKept,
        TimeProvider ioTime,
        NameResolver names,
        CacheTelemetry telemetry,
        ILogger logger) => new()
    {
        Connections = new ConnectionSettings
        {
            IsShared = options.Topology == MemcachedTopology.Shared,
            Factory = new ServerConnectionFactory(
                names,
                TlsRules.SettingsOf(options.Tls, reason => OptionsLog.CertificatesNotReplaced(logger, reason))),
            Credentials = CredentialRules.Of(options, reason => OptionsLog.PasswordNotReplaced(logger, reason)),
            Clock = new OperationClock(ioTime, EffectiveTimes.AttemptTimeout(options)),
            Protocol = options.Protocol,
            HasPrefix = hasPrefix,
            LargestKept = largestKept,
            TimeProvider = ioTime,
            Telemetry = telemetry,
            ConnectTimeout = options.ConnectTimeout,
            IdleTimeout = options.IdleTimeout,
            MaximumPendingOperations = options.MaximumPendingOperations,
            MaximumBufferedBytes = options.MaximumBufferedBytes,
        },
        OperationTimeout = options.OperationTimeout,
        ConnectionsPerNode = options.ConnectionsPerNode,
        ReconnectDelay = options.ReconnectDelay,
        MaximumUncertainKeys = options.MaximumUncertainKeys,
        ProbeKey = new KeyEncoder(options.Namespace).ProbeKey,

        // Without fences nothing tells what a gutter node holds from an earlier outage.
        GutterSeconds = options is { Failover: MemcachedFailover.Gutter, Topology: MemcachedTopology.Nodes }
            ? (int)Math.Ceiling(options.GutterTimeToLive.TotalSeconds)
            : 0,
        DnsRefreshInterval = options.DnsRefreshInterval,
        DiscoveryInterval = options.DiscoveryInterval,
        NewCircuit = () => new CircuitBreaker(BreakerSettingsOf(options), ioTime),
    };

    /// <summary>Who tells which servers there are; null where they are named.</summary>
    public static IServerLister? ListerOf(MemcachedClientOptions options, ClusterSettings settings, NameResolver names)
        => (options.ServerSource, DiscoveryEndpoint.Of(options)) switch
        {
            ({ } source, _) => new SourceLister(source, options.ConnectTimeout, settings.Connections.TimeProvider),
            (_, { Discovers: DiscoveryKind.Service } service) => new ServiceLister(names.Services, service.Address.Host, options.ConnectTimeout),
            (_, { } endpoint) => new EndpointLister(settings.Connections, endpoint.Address),
            _ => null,
        };

    private static BreakerSettings BreakerSettingsOf(MemcachedClientOptions options) => new()
    {
        FailureRatio = options.BreakerFailureRatio,
        MinimumThroughput = options.BreakerMinimumThroughput,
        SamplingDuration = TimeSpan.FromTicks(Math.Max(options.BreakerSamplingDuration.Ticks, EffectiveTimes.AttemptTimeout(options).Ticks)),
        Delay = options.ReconnectDelay,
        MaximumDelay = options.MaximumReconnectDelay,
    };
}
