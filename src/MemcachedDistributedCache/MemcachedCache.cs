using System.Buffers;
using System.Diagnostics;
using MemcachedDistributedCache.Caching;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Options;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Transport;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace MemcachedDistributedCache;

/// <summary>
/// A distributed cache on a cluster of memcached servers (1.6.10 or newer). Thread-safe, and meant to live as long as the application.
/// <para>
/// Every entry has a time to live. Absolute expirations are exact to the millisecond; a sliding window has the resolution of the
/// server's clock, so an entry that nobody reads goes between its window and three seconds more. A server that gives no answer makes
/// reads misses and drops writes, unless <see cref="MemcachedCacheOptions.FailureMode"/> says otherwise.
/// </para>
/// </summary>
public sealed class MemcachedCache : IBufferDistributedCache, IAsyncDisposable, IDisposable
{
    private readonly ServerCluster _cluster;
    private readonly EntryStore _entries;
    private readonly Func<string, MemcachedFailureMode, MemcachedOversizeBehavior, EntryStore> _newPartition;
    private readonly TimeProvider _timeProvider;
    private readonly bool _isPartition;

    /// <summary>Makes a cache and begins to connect, without waiting for it.</summary>
    /// <param name="options">The options; they are copied.</param>
    /// <param name="loggerFactory">Where to log; nowhere by default.</param>
    /// <param name="timeProvider">The clock; the system's by default.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of its range.</exception>
    public MemcachedCache(MemcachedCacheOptions options, ILoggerFactory? loggerFactory = null, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        OptionsGuard.ThrowIfInvalid(options);
        TimeProvider clock = _timeProvider = timeProvider ?? TimeProvider.System;
        ILogger logger = (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<MemcachedCache>();
        _cluster = new ServerCluster(ClusterSettingsOf(options, clock), options.Servers.Select(Parse), logger);
        var settings = new EntryStoreSettings
        {
            Namespace = options.Namespace,
            DefaultTimeToLive = options.DefaultTimeToLive,
            MaximumValueBytes = options.MaximumValueBytes,
            OversizeBehavior = options.OversizeBehavior,
            FailureMode = options.FailureMode,
        };
        var client = new MemcachedClient(_cluster);
        _entries = new EntryStore(client, settings, clock, logger);
        _newPartition = (name, failureMode, oversizeBehavior) => new EntryStore(
            client,
            settings with { Partition = name, FailureMode = failureMode, OversizeBehavior = oversizeBehavior },
            clock,
            logger);
    }

    private MemcachedCache(MemcachedCache whole, EntryStore entries)
    {
        _cluster = whole._cluster;
        _newPartition = whole._newPartition;
        _timeProvider = whole._timeProvider;
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
    {
        ArgumentNullException.ThrowIfNull(name);
        return KeyEncoder.IsValidPartition(name)
            ? new MemcachedCache(this, _newPartition(name, failureMode, oversizeBehavior))
            : throw new ArgumentException($"The partition '{name}' must have 1 to 32 ASCII letters, digits or hyphens.", nameof(name));
    }

    /// <summary>What this process has seen of each server, in the order of the options.</summary>
    public IReadOnlyList<MemcachedNodeStatus> GetNodes()
        => [.. _cluster.Nodes.Select(static node => new MemcachedNodeStatus
        {
            Server = node.Counters.Server,
            State = node.State,
            ServerVersion = node.ServerVersion,
            Hits = node.Counters.Hits,
            Misses = node.Counters.Misses,
            Errors = node.Counters.Errors,
            Timeouts = node.Counters.Timeouts,
            PendingOperations = node.PendingCount,
            SuspectKeys = node.Suspects.Count,
        })];

    /// <summary>Asks every server for a sign of life (<c>mn</c>) on the connection that its operations take, all at once.</summary>
    /// <param name="timeout">How long to wait for each; at most <see cref="MemcachedCacheOptions.OperationTimeout"/> counts. One that is known to be down is not waited for.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The answers, in the order of the options.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The timeout is not positive.</exception>
    public async Task<IReadOnlyList<MemcachedNodePing>> PingAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        ObjectDisposedException.ThrowIf(_cluster.IsDisposed, this);
        return await Task.WhenAll(_cluster.Nodes.Select(node => MemcachedNodePing.AskAsync(node, timeout, _timeProvider, cancellationToken))).ConfigureAwait(false);
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
        => _entries.TryGetAsync(key, destination, CallMode.Async, token);

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
        => _entries.SetAsync(key, value, options, CallMode.Async, token);

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
    /// <exception cref="MemcachedValueTooLargeException">The value is over the limit, and the option says to throw. What is there stays.</exception>
    public ValueTask<bool> TryAddAsync(string key, ReadOnlySequence<byte> value, DistributedCacheEntryOptions options, CancellationToken token = default)
        => _entries.AddAsync(key, value, options, CallMode.Async, token);

    /// <inheritdoc/>
    public void Refresh(string key) => Complete(_entries.RefreshAsync(key, CallMode.Sync, CancellationToken.None));

    /// <inheritdoc/>
    public Task RefreshAsync(string key, CancellationToken token = default) => _entries.RefreshAsync(key, CallMode.Async, token).AsTask();

    /// <inheritdoc/>
    public void Remove(string key) => Complete(_entries.RemoveAsync(key, CallMode.Sync, CancellationToken.None));

    /// <inheritdoc/>
    public Task RemoveAsync(string key, CancellationToken token = default) => _entries.RemoveAsync(key, CallMode.Async, token).AsTask();

    /// <summary>Waits for what is under way, at most one operation's limit, then closes all connections.</summary>
    public ValueTask DisposeAsync() => _isPartition ? ValueTask.CompletedTask : _cluster.DisposeAsync();

    /// <summary>Closes all connections at once; operations under way end without an answer.</summary>
    public void Dispose()
    {
        if (!_isPartition)
        {
            _cluster.Dispose();
        }
    }

    private static ServerSpec Parse(string server) => ServerSpec.TryParse(server, out ServerSpec? spec, out string? error) ? spec : throw new FormatException(error);

    private static ClusterSettings ClusterSettingsOf(MemcachedCacheOptions options, TimeProvider clock) => new()
    {
        Connections = new ConnectionSettings
        {
            Factory = new TcpConnectionFactory(),
            Clock = new OperationClock(clock, options.OperationTimeout),
            HasPrefix = EntryFormat.HasPrefix,
            TimeProvider = clock,
            ConnectTimeout = options.ConnectTimeout,
            IdleTimeout = options.IdleTimeout,
            MaximumPendingOperations = options.MaximumPendingOperations,
            MaximumBufferedBytes = options.MaximumBufferedBytes,
        },
        ConnectionsPerNode = options.ConnectionsPerNode,
        ReconnectDelay = options.ReconnectDelay,
        MaximumSuspectKeys = options.MaximumSuspectKeys,
        ProbeKey = new KeyEncoder(options.Namespace).ProbeKey,
        Reconnect = ReconnectPipeline.Create(options.ReconnectDelay, options.MaximumReconnectDelay, clock),
    };

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
