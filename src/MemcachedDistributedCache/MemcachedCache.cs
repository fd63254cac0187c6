using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Diagnostics;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Options;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging;
using Polly;

namespace MemcachedDistributedCache;

/// <summary>
/// A distributed cache on a cluster of memcached servers (1.6.10 or newer; from 1.4.15 on with weaker promises).
/// Thread-safe, and meant to live as long as the application.
/// <para>
/// Every entry has a time to live. Absolute expirations are exact to the millisecond; a sliding window has the resolution of the
/// server's clock, so an entry that nobody reads goes between its window and three seconds more. A server that gives no answer makes
/// reads misses and drops writes, unless <see cref="MemcachedCacheOptions.FailureMode"/> says otherwise.
/// </para>
/// </summary>
public sealed class MemcachedCache : IBufferDistributedCache, IAsyncDisposable, IDisposable
{
    private readonly ServerCluster _cluster;
    private readonly ClusterMetrics _metrics;
    private readonly CacheTelemetry _telemetry;
    private readonly ICacheBackend _backend;
    private readonly IEntryStore _entries;
    private readonly Func<string, MemcachedFailureMode, MemcachedOversizeBehavior, bool, EntryStore> _newPartition;
    private readonly string _namespace;
    private readonly TimeProvider _clock;
    private readonly TimeProvider _ioTime;
    private readonly bool _isPartition;
    private readonly MemcachedHybridCacheOptions _hybrid;
    private readonly FanOutWidth _width;
    private readonly ConcurrentDictionary<HybridParts, byte> _hybrids; // that end before their connections do
    private IDisposable? _following;

    /// <summary>Makes a cache and begins to connect, without waiting for it.</summary>
    /// <param name="options">The options; they are copied.</param>
    /// <param name="loggerFactory">Where to log; nowhere by default.</param>
    /// <param name="timeProvider">
    /// The clock that tells what has expired; the system's by default. Time limits, retries and reconnects go by the
    /// system's whatever is given here: a clock that stands still makes no call wait for ever.
    /// </param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of its range.</exception>
    public MemcachedCache(MemcachedCacheOptions options, ILoggerFactory? loggerFactory = null, TimeProvider? timeProvider = null)
        : this(options, loggerFactory, timeProvider, null, null)
    {
    }

    /// <summary>
    /// Makes a cache of a container: with the container's meters, and the service key that tells it from others. The
    /// I/O clock is the system's; tests of time limits have one of their own.
    /// </summary>
    internal MemcachedCache(
        MemcachedCacheOptions options,
        ILoggerFactory? loggerFactory,
        TimeProvider? timeProvider,
        IMeterFactory? meterFactory,
        string? name,
        NameResolver? resolver = null,
        TimeProvider? ioTime = null)
    {
        NameResolver names = resolver ?? NameResolver.System;
        ArgumentNullException.ThrowIfNull(options);
        OptionsGuard.ThrowIfInvalid(options);
        TimeProvider clock = timeProvider ?? TimeProvider.System;
        _ioTime = ioTime ?? TimeProvider.System;
        ILogger logger = (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<MemcachedCache>();
        _telemetry = new CacheTelemetry(MetricHub.Of(meterFactory), name, _ioTime);
        ClusterSettings cluster = Composition.ClusterSettingsOf(
            options, EntryFormat.HasPrefix, EffectiveSizes.LargestKept(options), _ioTime, names, _telemetry, new DetachedLogger(logger));
        OptionsLog.WarnIfPasswordIsReadable(logger, CredentialRules.ReadableAt(options));
        _cluster = new ServerCluster(cluster, DiscoveryEndpoint.Without(options.Servers), names, logger, Composition.ListerOf(options, cluster, names));
        _metrics = new ClusterMetrics(_cluster, cluster.Connections);
        var settings = new EntryStoreSettings
        {
            Namespace = options.Namespace,
            DefaultTimeToLive = options.DefaultTimeToLive,
            MaximumValueBytes = options.MaximumValueBytes,
            OversizeBehavior = options.OversizeBehavior,
            FailureMode = options.FailureMode,
            CancelledWriteWindow = options.OperationTimeout * 3,
            Limits = Composition.LimitsOf(options),
        };
        _backend = new ClusterBackend(new ClusterClient(_cluster));
        RetryPolicy? retries = Composition.RetriesOf(options, _ioTime);
        if (options.Resilience is null)
        {
            _entries = new EntryStore(_backend, settings, retries, clock, _ioTime, logger);
        }
        else
        {
            // A pipeline of the application's own is to see failures, so below it they are thrown.
            var thrower = new EntryStore(_backend, settings with { FailureMode = MemcachedFailureMode.Throw }, retries, clock, _ioTime, logger);
            _entries = new CustomPipelineEntryStore(thrower, CustomPipeline.Of(options, _ioTime), options.FailureMode);
        }

        Client = new MemcachedClient(ClientParts.On(_cluster, options, _ioTime));

        // It is for the application's own calls; those who make partitions deal with failures themselves.
        _newPartition = (partition, failureMode, oversizeBehavior, ignoreBeforeOutage) =>
            new EntryStore(
                _backend,
                settings with
                {
                    Partition = partition,
                    FailureMode = failureMode,
                    OversizeBehavior = oversizeBehavior,
                    IgnoresBeforeOutage = ignoreBeforeOutage,
                },
                retries,
                clock,
                _ioTime,
                logger);
        _hybrids = new ConcurrentDictionary<HybridParts, byte>();
        _namespace = options.Namespace;
        _clock = clock;
        _hybrid = options.Hybrid.Copy();
        _width = FanOutWidth.Below(options.MaximumPendingOperations, options.MaximumBufferedBytes, options.Hybrid.MaximumPayloadBytes);
    }

    private MemcachedCache(MemcachedCache whole, IEntryStore entries)
    {
        Client = whole.Client;
        _cluster = whole._cluster;
        _metrics = whole._metrics;
        _telemetry = whole._telemetry;
        _backend = whole._backend;
        _newPartition = whole._newPartition;
        _hybrids = whole._hybrids;
        _namespace = whole._namespace;
        _clock = whole._clock;
        _ioTime = whole._ioTime;
        _hybrid = whole._hybrid;
        _width = whole._width;
        _entries = entries;
        _isPartition = true;
    }

    /// <summary>
    /// Makes a view of this cache whose keys meet none of the cache's own, whatever strings they are, and none of other partitions. It uses
    /// the same connections and has the same nodes; disposing it does nothing. For what stores its own things beside the application's.
    /// </summary>
    /// <param name="name">1 to 32 ASCII letters, digits and hyphens. The same name is the same partition, in every process.</param>
    /// <param name="failureMode">What callers see of a server that gives no answer, in place of the option.</param>
    /// <param name="oversizeBehavior">What becomes of a value over the limit, in place of the option.</param>
    /// <returns>The partition.</returns>
    /// <exception cref="ArgumentException">The name is of another form.</exception>
    public MemcachedCache CreatePartition(
        string name,
        MemcachedFailureMode failureMode = MemcachedFailureMode.Degrade,
        MemcachedOversizeBehavior oversizeBehavior = MemcachedOversizeBehavior.Throw)
        => NewPartition(name, failureMode, oversizeBehavior, ignoreBeforeOutage: false);

    /// <summary>
    /// Makes a partition for few items that all processes must agree on, such as versions: what a server has from
    /// before this process last saw the server down is a miss there. While the server was down another process may have
    /// replaced the item, on the gutter node, and not have removed it yet. Such an item can be set and removed as
    /// always, and is there for <see cref="TryAddAsync"/>. Failures are thrown.
    /// </summary>
    internal MemcachedCache CreateVersionPartition(string name)
        => NewPartition(name, MemcachedFailureMode.Throw, MemcachedOversizeBehavior.Throw, ignoreBeforeOutage: true);

    private MemcachedCache NewPartition(
        string name,
        MemcachedFailureMode failureMode,
        MemcachedOversizeBehavior oversizeBehavior,
        bool ignoreBeforeOutage)
    {
        ArgumentNullException.ThrowIfNull(name);
        return KeyEncoder.IsValidPartition(name)
            ? new MemcachedCache(this, _newPartition(name, failureMode, oversizeBehavior, ignoreBeforeOutage))
            : throw new ArgumentException($"The partition '{name}' must have 1 to 32 ASCII letters, digits or hyphens.", nameof(name));
    }

    /// <summary>Makes a hybrid cache on the same connections.</summary>
    internal HybridParts CreateHybrid(IServiceProvider? services, ILogger logger)
    {
        MemcachedHybridCacheOptions options = _hybrid.Copy();
        options.VerifySerialization ??= HostEnvironment.IsDevelopment(services);
        var context = new HybridContext(options, _clock, _ioTime, logger) { Width = _width };
        var parts = new HybridParts(_backend, new KeyEncoder(_namespace), context, services, _telemetry)
        {
            WhenDisposed = ended => _hybrids.TryRemove(ended, out _),
        };
        _hybrids[parts] = 0;
        return parts;
    }

    /// <summary>
    /// The typed client on the connections of the cache, with its namespace: a key that is legal on the wire is the same item to both.
    /// It ends with the cache. A container offers it as <see cref="IMemcachedClient"/>.
    /// </summary>
    public IMemcachedClient Client { get; }

    /// <summary>The state and the counts of each server, as this process has seen them, in the order of the options.</summary>
    public IReadOnlyList<MemcachedNodeStatus> GetNodes() => MemcachedNodeStatus.Of(_cluster.Nodes);

    /// <summary>Asks every server for a sign of life (<c>mn</c>) on the connection that its operations take, all at once.</summary>
    /// <param name="timeout">How long to wait for each; at most <see cref="MemcachedClientOptions.OperationTimeout"/>
    /// counts. One that is known to be down is not waited for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The answers, in the order of the options.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The timeout is not positive.</exception>
    public async Task<IReadOnlyList<MemcachedNodePing>> PingAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        ObjectDisposedException.ThrowIf(_cluster.IsDisposed, this);
        return await Task.WhenAll(_cluster.Nodes.Select(node => MemcachedNodePing.AskAsync(node, timeout, _ioTime, cancellationToken)))
            .ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The key is null or empty.</exception>
    /// <exception cref="MemcachedUnavailableException">The server gave no answer, and the option says to throw.</exception>
    public byte[]? Get(string key) => Complete(_entries.GetAsync(key, CallMode.Sync, CancellationToken.None));

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The key is null or empty.</exception>
    /// <exception cref="MemcachedUnavailableException">The server gave no answer, and the option says to throw.</exception>
    public Task<byte[]?> GetAsync(string key, CancellationToken token = default) => _entries.GetAsync(key, CallMode.Async, token).AsTask();

    /// <inheritdoc/>
    public bool TryGet(string key, IBufferWriter<byte> destination)
        => Complete(_entries.TryGetAsync(key, destination, CallMode.Sync, CancellationToken.None));

    /// <inheritdoc/>
    public ValueTask<bool> TryGetAsync(string key, IBufferWriter<byte> destination, CancellationToken token = default)
        => _entries.TryGetAsync(key, destination, CallMode.Async, token).Unpooled();

    /// <summary>
    /// Reads a value and shows it to a check before anybody gets it, for values that carry a checksum. One that does
    /// not pass is a miss, and is removed from the server, unless it has been replaced meanwhile.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="destination">Where the value is written to; nothing is where the method returns false.</param>
    /// <param name="check">Whether the value is whole. What it is given is valid until it returns; its exceptions go to the caller.</param>
    /// <param name="token">Ends the wait.</param>
    /// <returns>Whether there was a value that passed.</returns>
    /// <exception cref="ArgumentException">The key is null or empty.</exception>
    /// <exception cref="MemcachedUnavailableException">The server gave no answer, and the option says to throw.</exception>
    public ValueTask<bool> TryGetCheckedAsync(
        string key,
        IBufferWriter<byte> destination,
        Func<ReadOnlyMemory<byte>, bool> check,
        CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(check);
        return _entries.TryGetAsync(key, destination, CallMode.Async, token, check).Unpooled();
    }

    /// <inheritdoc/>
    /// <exception cref="MemcachedValueTooLargeException">The value is over the limit, and the option says to throw.</exception>
    public void Set(string key, byte[] value, DistributedCacheEntryOptions options)
    {
        ArgumentNullException.ThrowIfNull(value);
        Set(key, new ReadOnlySequence<byte>(value), options);
    }

    /// <inheritdoc/>
    /// <exception cref="MemcachedValueTooLargeException">The value is over the limit, and the option says to throw.</exception>
    public Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(value);
        return _entries.SetAsync(key, new ReadOnlySequence<byte>(value), options, CallMode.Async, token).AsTask();
    }

    /// <inheritdoc/>
    /// <exception cref="MemcachedValueTooLargeException">The value is over the limit, and the option says to throw.</exception>
    public void Set(string key, ReadOnlySequence<byte> value, DistributedCacheEntryOptions options)
        => Complete(_entries.SetAsync(key, value, options, CallMode.Sync, CancellationToken.None));

    /// <inheritdoc/>
    /// <exception cref="MemcachedValueTooLargeException">The value is over the limit, and the option says to throw.</exception>
    public ValueTask SetAsync(string key, ReadOnlySequence<byte> value, DistributedCacheEntryOptions options, CancellationToken token = default)
        => _entries.SetAsync(key, value, options, CallMode.Async, token).Unpooled();

    /// <summary>
    /// Stores a value that is made anew for each attempt. For values of which none may be stored twice: an attempt that
    /// got no answer may have arrived, and been replaced by another process before the next.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="value">Makes the value. Its exceptions go to the caller.</param>
    /// <param name="options">When it expires.</param>
    /// <param name="token">Ends the wait; the value may have been stored all the same.</param>
    /// <exception cref="ArgumentException">The key is null or empty.</exception>
    /// <exception cref="MemcachedUnavailableException">The server gave no answer, and the option says to throw.</exception>
    /// <exception cref="MemcachedValueTooLargeException">The value is over the limit, and the option says to throw.</exception>
    internal ValueTask SetMadeAsync(
        string key,
        Func<ReadOnlySequence<byte>> value,
        DistributedCacheEntryOptions options,
        CancellationToken token = default)
        => _entries.SetAsync(key, value(), options, CallMode.Async, token, value).Unpooled();

    /// <summary>
    /// Stores a value unless there is one under the key: of several callers, in whatever process, one succeeds. An entry that is past its
    /// exact deadline may still count as there for three seconds.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="options">When it expires.</param>
    /// <param name="token">Ends the wait; the value may have been stored all the same.</param>
    /// <returns>Whether this value was stored. False too where the server gave no answer and the failure mode is to degrade.</returns>
    /// <exception cref="ArgumentException">The key is null or empty.</exception>
    /// <exception cref="MemcachedUnavailableException">The server gave no answer, and the option says to throw.</exception>
    /// <exception cref="MemcachedValueTooLargeException">The value is over the limit, and the option says to throw.
    /// The value that is there stays.</exception>
    public ValueTask<bool> TryAddAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        CancellationToken token = default)
        => _entries.AddAsync(key, value, options, CallMode.Async, token).Unpooled();

    /// <inheritdoc/>
    public void Refresh(string key) => Complete(_entries.RefreshAsync(key, CallMode.Sync, CancellationToken.None));

    /// <inheritdoc/>
    public Task RefreshAsync(string key, CancellationToken token = default) => _entries.RefreshAsync(key, CallMode.Async, token).AsTask();

    /// <inheritdoc/>
    public void Remove(string key) => Complete(_entries.RemoveAsync(key, CallMode.Sync, CancellationToken.None));

    /// <inheritdoc/>
    public Task RemoveAsync(string key, CancellationToken token = default) => _entries.RemoveAsync(key, CallMode.Async, token).AsTask();

    /// <summary>
    /// Gives back what hybrid caches on this one hold, as their own <see cref="MemcachedHybridCache.DisposeAsync"/>
    /// does, tells servers that are up of writes and removals that have failed, waits for what is under way, each at
    /// most one operation's limit, then closes all connections.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_isPartition)
        {
            return;
        }

        _following?.Dispose();
        _metrics.Dispose();
        await Task.WhenAll(_hybrids.Keys.Select(static hybrid => hybrid.ReleaseAsync())).ConfigureAwait(false);
        await _cluster.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Gives back what hybrid caches on this one hold, as their own <see cref="MemcachedHybridCache.Dispose"/> does,
    /// then closes all connections at once; other operations under way end without an answer.
    /// </summary>
    public void Dispose()
    {
        if (_isPartition)
        {
            return;
        }

        _following?.Dispose();
        _metrics.Dispose();
        Task.WhenAll(_hybrids.Keys.Select(static hybrid => hybrid.ReleaseAsync())).Wait(HybridParts.ShutdownLimit);
        _cluster.Dispose();
    }

    /// <summary>Ends with the cache.</summary>
    internal void Own(IDisposable following) => _following = following;

    /// <summary>Changes the servers. Those that stay keep their connections; those that go end what they have been asked.</summary>
    internal Task ReloadAsync(IEnumerable<string> servers) => _cluster.ReloadAsync(DiscoveryEndpoint.Without(servers));

    /// <summary>A synchronous call has blocked in the client already: its task is complete here, and nothing is waited for.</summary>
    private static T Complete<T>(ValueTask<T> task)
    {
        Debug.Assert(task.IsCompleted, "a synchronous call is complete when it returns");
        return task.GetAwaiter().GetResult();
    }

    private static void Complete(ValueTask task)
    {
        Debug.Assert(task.IsCompleted, "a synchronous call is complete when it returns");
        task.GetAwaiter().GetResult();
    }
}
