using System.Diagnostics.Metrics;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Options;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace MemcachedDistributedCache.Client;

/// <summary>The parts of a client: a cluster, which is its own or a cache's, and what goes by it.</summary>
internal sealed class ClientParts : IAsyncDisposable, IDisposable
{
    private static readonly TimeSpan LongestTimeToLive = TimeSpan.FromDays(365);

    private readonly ClusterMetrics? _metrics; // of a cluster of its own
    private IDisposable? _following;

    private ClientParts(ServerCluster cluster, MemcachedClientOptions options, TimeProvider ioTime, ClusterMetrics? metrics)
    {
        _metrics = metrics;
        Cluster = cluster;
        IoTime = ioTime;
        Settings = new ClientSettings
        {
            DefaultTimeToLive = options.DefaultTimeToLive,
            MaximumValueBytes = options.MaximumValueBytes,
            ValuePolicy = ChangePolicy.MayUseGutter | (options.RemoveUncertain ? ChangePolicy.RemoveIfUncertain : ChangePolicy.None),
            CounterPolicy = options.CounterFailover == MemcachedFailover.Gutter
                ? ChangePolicy.MayUseGutter | ChangePolicy.RemoveIfUncertain
                : ChangePolicy.None,
            Serializer = options.Serializer ?? MemcachedJsonSerializer.Default,
            MaximumPendingOperations = options.MaximumPendingOperations,
            MaximumBufferedBytes = options.MaximumBufferedBytes,
            OperationTimeout = options.OperationTimeout,
        };
        Calls = new ClientCalls(
            new ClusterClient(cluster),
            new ClientKeys(options.Namespace, options.IllegalKeys),
            Composition.RetriesOf(options, ioTime),
            Settings);
    }

    private ClientParts(ClientParts lender)
    {
        Cluster = lender.Cluster;
        IoTime = lender.IoTime;
        Settings = lender.Settings with { MayReadGutter = false, ValuePolicy = ChangePolicy.IgnoreFences, CounterPolicy = ChangePolicy.IgnoreFences };
        Calls = lender.Calls.With(Settings);
    }

    /// <summary>The cluster.</summary>
    public ServerCluster Cluster { get; }

    /// <summary>The system's clock.</summary>
    public TimeProvider IoTime { get; }

    /// <summary>The options of operations.</summary>
    public ClientSettings Settings { get; }

    /// <summary>Sends operations.</summary>
    public ClientCalls Calls { get; }

    /// <summary>Makes a client with a cluster of its own.</summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of its range.</exception>
    public static ClientParts Make(
        MemcachedClientOptions options,
        ILoggerFactory? loggerFactory,
        IMeterFactory? meterFactory = null,
        string? name = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ClientOptionsGuard.ThrowIfInvalid(options);
        TimeProvider ioTime = TimeProvider.System;
        NameResolver names = NameResolver.System;
        ILogger logger = (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<MemcachedClient>();
        var telemetry = new CacheTelemetry(MetricHub.Of(meterFactory), name, ioTime);
        ClusterSettings settings = Composition.ClusterSettingsOf(
            options,
            static _ => false,
            options.MaximumValueBytes,
            ioTime,
            names,
            telemetry,
            new DetachedLogger(logger));
        OptionsLog.WarnIfPasswordIsReadable(logger, CredentialRules.ReadableAt(options));
        var cluster = new ServerCluster(
            settings,
            DiscoveryEndpoint.Without(options.Servers),
            names,
            logger,
            Composition.ListerOf(options, settings, names));
        return new ClientParts(cluster, options, ioTime, new ClusterMetrics(cluster, settings.Connections));
    }

    /// <summary>Makes a client on the cluster of a cache, with which its connections end.</summary>
    public static ClientParts On(ServerCluster cluster, MemcachedClientOptions options, TimeProvider ioTime) => new(cluster, options, ioTime, metrics: null);

    /// <summary>A read.</summary>
    public static ClientCall Reading<T>(
        ClientVerb verb,
        MemcachedKey key,
        CallMode mode,
        int timeToLive = 0,
        CancellationToken token = default)
        => new(verb, key, mode, token) { Target = ClientResults.TargetOf<T>(), TimeToLive = timeToLive };

    /// <summary>A read of bytes.</summary>
    public static ClientCall Copying(MemcachedKey key, CallMode mode, CancellationToken token = default)
        => new(ClientVerb.Get, key, mode, token) { Target = ValueTarget.PooledArray };

    /// <summary>A change that sets a time to live.</summary>
    public ClientCall Storing(
        ClientVerb verb,
        MemcachedKey key,
        CallMode mode,
        TimeSpan? timeToLive,
        MemcachedCas cas = default,
        CancellationToken token = default)
        => new(verb, key, mode, token) { TimeToLive = WireTimeOf(timeToLive), Cas = cas.Token };

    /// <summary>A change that puts bytes to others.</summary>
    public ClientCall Joining(ClientVerb verb, MemcachedKey key, CallMode mode, TimeSpan? createFor, CancellationToken token = default)
        => new(verb, key, mode, token) { Creates = createFor is not null, TimeToLive = WireTimeOf(createFor) };

    /// <summary>A change of a number.</summary>
    public ClientCall Counting(
        ClientVerb verb,
        MemcachedKey key,
        CallMode mode,
        ulong delta,
        ulong? initial,
        TimeSpan? timeToLive,
        CancellationToken token = default)
        => new(verb, key, mode, token)
        {
            Delta = delta,
            Creates = initial is not null,
            Initial = initial.GetValueOrDefault(),
            TimeToLive = WireTimeOf(timeToLive),
        };

    /// <summary>
    /// Makes a client on the same connections whose operations go to each key's own node or fail, and which removes nothing to make up for
    /// a lost answer. A lock needs both: two nodes are two locks, and a removal would release the lock of whoever has it by then.
    /// </summary>
    public ClientParts OnOwnNodes() => new(this);

    /// <summary>The time to live as the wire has it; the default's where there is none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not positive, or over 365 days.</exception>
    public int WireTimeOf(TimeSpan? timeToLive)
    {
        TimeSpan span = timeToLive ?? Settings.DefaultTimeToLive;
        if (span <= TimeSpan.Zero || span > LongestTimeToLive)
        {
            throw new ArgumentOutOfRangeException(nameof(timeToLive), span, "Every item ends: its time to live is more than nothing, and at most 365 days.");
        }

        return WireTime.Of((long)Math.Ceiling(span.TotalSeconds), IoTime);
    }

    /// <summary>Ends with the client.</summary>
    public void Own(IDisposable following) => _following = following;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_metrics is not null)
        {
            _following?.Dispose();
            _metrics.Dispose();
            await Cluster.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_metrics is not null)
        {
            _following?.Dispose();
            _metrics.Dispose();
            Cluster.Dispose();
        }
    }
}
