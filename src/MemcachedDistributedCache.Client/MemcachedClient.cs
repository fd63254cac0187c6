using System.Buffers;
using System.Diagnostics;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache;

/// <summary>The client on a cluster. Thread-safe, and meant to live as long as the application.</summary>
public sealed class MemcachedClient : IMemcachedClient, IAsyncDisposable, IDisposable
{
    private readonly ClientParts _parts;
    private readonly ClientCalls _calls;
    private readonly ClientResults _results;
    private readonly ManyCalls _many;
    private readonly Administration _administration;

    /// <summary>Makes a client with connections of its own, and begins to connect without waiting for it.</summary>
    /// <param name="options">The options; they are copied.</param>
    /// <param name="loggerFactory">Where to log; nowhere by default.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of its range.</exception>
    public MemcachedClient(MemcachedClientOptions options, Microsoft.Extensions.Logging.ILoggerFactory? loggerFactory = null)
        : this(ClientParts.Make(options, loggerFactory))
    {
    }

    internal MemcachedClient(ClientParts parts)
    {
        _parts = parts;
        _calls = parts.Calls;
        _results = new ClientResults(parts.Settings.Serializer);
        _many = new ManyCalls(_calls, parts.Settings);
        _administration = new Administration(_calls);
    }

    /// <inheritdoc cref="ClientParts.OnOwnNodes"/>
    internal MemcachedClient OnOwnNodes() => new(_parts.OnOwnNodes());

    /// <inheritdoc/>
    public ValueTask<MemcachedResult<T>> GetAsync<T>(MemcachedKey key, CancellationToken cancellationToken = default)
        => ReadAsync<T>(ClientParts.Reading<T>(ClientVerb.Get, key, CallMode.Async, 0, cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult<T> Get<T>(MemcachedKey key) => Complete(ReadAsync<T>(ClientParts.Reading<T>(ClientVerb.Get, key, CallMode.Sync)));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult<int>> GetAsync(MemcachedKey key, IBufferWriter<byte> destination, CancellationToken cancellationToken = default)
        => CopyAsync(ClientParts.Copying(key, CallMode.Async, cancellationToken), destination);

    /// <inheritdoc/>
    public MemcachedResult<int> Get(MemcachedKey key, IBufferWriter<byte> destination) => Complete(CopyAsync(ClientParts.Copying(key, CallMode.Sync), destination));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult<MemcachedItem<T>>> GetItemAsync<T>(MemcachedKey key, CancellationToken cancellationToken = default)
        => ReadItemAsync<T>(ClientParts.Reading<T>(ClientVerb.GetItem, key, CallMode.Async, 0, cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult<MemcachedItem<T>> GetItem<T>(MemcachedKey key)
        => Complete(ReadItemAsync<T>(ClientParts.Reading<T>(ClientVerb.GetItem, key, CallMode.Sync)));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult<T>> GetAndTouchAsync<T>(MemcachedKey key, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default)
        => ReadAsync<T>(ClientParts.Reading<T>(ClientVerb.GetAndTouch, key, CallMode.Async, _parts.WireTimeOf(timeToLive), cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult<T> GetAndTouch<T>(MemcachedKey key, TimeSpan? timeToLive = null)
        => Complete(ReadAsync<T>(ClientParts.Reading<T>(ClientVerb.GetAndTouch, key, CallMode.Sync, _parts.WireTimeOf(timeToLive))));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> SetAsync<T>(
        MemcachedKey key,
        T value,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default)
        => StoreAsync(_parts.Storing(ClientVerb.Set, key, CallMode.Async, timeToLive, default, cancellationToken), value);

    /// <inheritdoc/>
    public MemcachedResult Set<T>(MemcachedKey key, T value, TimeSpan? timeToLive = null)
        => Complete(StoreAsync(_parts.Storing(ClientVerb.Set, key, CallMode.Sync, timeToLive), value));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> AddAsync<T>(
        MemcachedKey key,
        T value,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default)
        => StoreAsync(_parts.Storing(ClientVerb.Add, key, CallMode.Async, timeToLive, default, cancellationToken), value);

    /// <inheritdoc/>
    public MemcachedResult Add<T>(MemcachedKey key, T value, TimeSpan? timeToLive = null)
        => Complete(StoreAsync(_parts.Storing(ClientVerb.Add, key, CallMode.Sync, timeToLive), value));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> ReplaceAsync<T>(
        MemcachedKey key,
        T value,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default)
        => StoreAsync(_parts.Storing(ClientVerb.Replace, key, CallMode.Async, timeToLive, default, cancellationToken), value);

    /// <inheritdoc/>
    public MemcachedResult Replace<T>(MemcachedKey key, T value, TimeSpan? timeToLive = null)
        => Complete(StoreAsync(_parts.Storing(ClientVerb.Replace, key, CallMode.Sync, timeToLive), value));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> CompareAndSetAsync<T>(
        MemcachedKey key,
        T value,
        MemcachedCas cas,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default)
        => StoreAsync(_parts.Storing(ClientVerb.CompareAndSet, key, CallMode.Async, timeToLive, cas, cancellationToken), value);

    /// <inheritdoc/>
    public MemcachedResult CompareAndSet<T>(MemcachedKey key, T value, MemcachedCas cas, TimeSpan? timeToLive = null)
        => Complete(StoreAsync(_parts.Storing(ClientVerb.CompareAndSet, key, CallMode.Sync, timeToLive, cas), value));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> AppendAsync<T>(
        MemcachedKey key,
        T value,
        TimeSpan? createFor = null,
        CancellationToken cancellationToken = default)
        => StoreAsync(_parts.Joining(ClientVerb.Append, key, CallMode.Async, createFor, cancellationToken), value);

    /// <inheritdoc/>
    public MemcachedResult Append<T>(MemcachedKey key, T value, TimeSpan? createFor = null)
        => Complete(StoreAsync(_parts.Joining(ClientVerb.Append, key, CallMode.Sync, createFor), value));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> PrependAsync<T>(
        MemcachedKey key,
        T value,
        TimeSpan? createFor = null,
        CancellationToken cancellationToken = default)
        => StoreAsync(_parts.Joining(ClientVerb.Prepend, key, CallMode.Async, createFor, cancellationToken), value);

    /// <inheritdoc/>
    public MemcachedResult Prepend<T>(MemcachedKey key, T value, TimeSpan? createFor = null)
        => Complete(StoreAsync(_parts.Joining(ClientVerb.Prepend, key, CallMode.Sync, createFor), value));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> DeleteAsync(MemcachedKey key, CancellationToken cancellationToken = default)
        => ChangeAsync(new ClientCall(ClientVerb.Delete, key, CallMode.Async, cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult Delete(MemcachedKey key) => Complete(ChangeAsync(new ClientCall(ClientVerb.Delete, key, CallMode.Sync, default)));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> CompareAndDeleteAsync(MemcachedKey key, MemcachedCas cas, CancellationToken cancellationToken = default)
        => ChangeAsync(new ClientCall(ClientVerb.CompareAndDelete, key, CallMode.Async, cancellationToken) { Cas = cas.Token });

    /// <inheritdoc/>
    public MemcachedResult CompareAndDelete(MemcachedKey key, MemcachedCas cas)
        => Complete(ChangeAsync(new ClientCall(ClientVerb.CompareAndDelete, key, CallMode.Sync, default) { Cas = cas.Token }));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> MarkStaleAsync(MemcachedKey key, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default)
        => ChangeAsync(_parts.Storing(ClientVerb.MarkStale, key, CallMode.Async, timeToLive, default, cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult MarkStale(MemcachedKey key, TimeSpan? timeToLive = null)
        => Complete(ChangeAsync(_parts.Storing(ClientVerb.MarkStale, key, CallMode.Sync, timeToLive)));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult<ulong>> IncrementAsync(MemcachedKey key, ulong delta = 1, CancellationToken cancellationToken = default)
        => CountAsync(_parts.Counting(ClientVerb.Increment, key, CallMode.Async, delta, null, null, cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult<ulong> Increment(MemcachedKey key, ulong delta = 1)
        => Complete(CountAsync(_parts.Counting(ClientVerb.Increment, key, CallMode.Sync, delta, null, null)));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult<ulong>> IncrementAsync(
        MemcachedKey key,
        ulong delta,
        ulong initial,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default)
        => CountAsync(_parts.Counting(ClientVerb.Increment, key, CallMode.Async, delta, initial, timeToLive, cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult<ulong> Increment(MemcachedKey key, ulong delta, ulong initial, TimeSpan? timeToLive = null)
        => Complete(CountAsync(_parts.Counting(ClientVerb.Increment, key, CallMode.Sync, delta, initial, timeToLive)));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult<ulong>> DecrementAsync(MemcachedKey key, ulong delta = 1, CancellationToken cancellationToken = default)
        => CountAsync(_parts.Counting(ClientVerb.Decrement, key, CallMode.Async, delta, null, null, cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult<ulong> Decrement(MemcachedKey key, ulong delta = 1)
        => Complete(CountAsync(_parts.Counting(ClientVerb.Decrement, key, CallMode.Sync, delta, null, null)));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult<ulong>> DecrementAsync(
        MemcachedKey key,
        ulong delta,
        ulong initial,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default)
        => CountAsync(_parts.Counting(ClientVerb.Decrement, key, CallMode.Async, delta, initial, timeToLive, cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult<ulong> Decrement(MemcachedKey key, ulong delta, ulong initial, TimeSpan? timeToLive = null)
        => Complete(CountAsync(_parts.Counting(ClientVerb.Decrement, key, CallMode.Sync, delta, initial, timeToLive)));

    /// <inheritdoc/>
    public ValueTask<MemcachedResult> TouchAsync(MemcachedKey key, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default)
        => ChangeAsync(_parts.Storing(ClientVerb.Touch, key, CallMode.Async, timeToLive, default, cancellationToken));

    /// <inheritdoc/>
    public MemcachedResult Touch(MemcachedKey key, TimeSpan? timeToLive = null)
        => Complete(ChangeAsync(_parts.Storing(ClientVerb.Touch, key, CallMode.Sync, timeToLive)));

    /// <inheritdoc/>
    public async Task<MemcachedResults<T>> GetManyAsync<T>(IEnumerable<MemcachedKey> keys, CancellationToken cancellationToken = default)
    {
        var many = new ManyReads<T>(ManyCalls.ArrayOf(keys), _results, cancellationToken);
        await _many.RunAsync(many).ConfigureAwait(false);
        return many.Results;
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<KeyValuePair<MemcachedKey, MemcachedResult<T>>> StreamAsync<T>(
        IEnumerable<MemcachedKey> keys,
        CancellationToken cancellationToken = default)
        => _many.StreamAsync<T>(ManyCalls.ArrayOf(keys), _results, cancellationToken);

    /// <inheritdoc/>
    public async Task<MemcachedResults> SetManyAsync<T>(
        IEnumerable<KeyValuePair<MemcachedKey, T>> items,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default)
    {
        var many = new ManyStores<T>(ManyCalls.ArrayOf(items), _parts.WireTimeOf(timeToLive), _parts.Settings.Serializer, cancellationToken);
        try
        {
            await _many.RunAsync(many).ConfigureAwait(false);
        }
        finally
        {
            await Task.WhenAll(many.KeysToClear().Select(key => ClearAsync(key, CallMode.Async).AsTask())).ConfigureAwait(false);
        }

        return many.Results;
    }

    /// <inheritdoc/>
    public Task<MemcachedResults> DeleteManyAsync(IEnumerable<MemcachedKey> keys, CancellationToken cancellationToken = default)
        => ChangeManyAsync(ClientVerb.Delete, keys, 0, cancellationToken);

    /// <inheritdoc/>
    public Task<MemcachedResults> TouchManyAsync(
        IEnumerable<MemcachedKey> keys,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default)
        => ChangeManyAsync(ClientVerb.Touch, keys, _parts.WireTimeOf(timeToLive), cancellationToken);

    /// <inheritdoc/>
    public async Task<MemcachedResults<ulong>> IncrementManyAsync(
        IEnumerable<MemcachedKey> keys,
        ulong delta = 1,
        ulong? initial = null,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default)
    {
        MemcachedKey[] all = ManyCalls.ArrayOf(keys);
        int wireTime = _parts.WireTimeOf(timeToLive);
        var many = new ManyCounts(
            all,
            key => new ClientCall(ClientVerb.Increment, key, CallMode.Async, cancellationToken)
            {
                Delta = delta,
                Creates = initial is not null,
                Initial = initial.GetValueOrDefault(),
                TimeToLive = wireTime,
            });
        await _many.RunAsync(many).ConfigureAwait(false);
        return many.Results;
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<MemcachedServerResult>> FlushAsync(TimeSpan delay = default, CancellationToken cancellationToken = default)
        => _administration.FlushAsync(delay, cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<MemcachedServerStatistics>> GetStatisticsAsync(
        MemcachedStatisticsKind kind = MemcachedStatisticsKind.General,
        CancellationToken cancellationToken = default)
        => _administration.GetStatisticsAsync(kind, cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<MemcachedServerResult>> ResetStatisticsAsync(CancellationToken cancellationToken = default)
        => _administration.ResetStatisticsAsync(cancellationToken);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<MemcachedNodePing>> PingAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        TimeSpan limit = timeout ?? _parts.Settings.OperationTimeout;
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(limit, TimeSpan.Zero, nameof(timeout));
        _calls.ThrowIfUnusable(cancellationToken);
        return await Task
            .WhenAll(_parts.Cluster.Nodes.Select(node => MemcachedNodePing.AskAsync(node, limit, _parts.IoTime, cancellationToken)))
            .ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public string? NodeOf(MemcachedKey key)
    {
        _calls.Keys.Write(key, stackalloc byte[Protocol.MetaRequests.MaximumKeyLength], out uint route);
        return _parts.Cluster.NodeOf(route)?.Counters.Server;
    }

    /// <inheritdoc/>
    public IReadOnlyList<MemcachedNodeStatus> GetNodes() => MemcachedNodeStatus.Of(_parts.Cluster.Nodes);

    /// <summary>
    /// Tells servers that are up of writes and removals that have failed, waits for what is under way, each at most one operation's
    /// limit, then closes all connections. A client on the connections of a cache leaves them open: they end with the cache.
    /// </summary>
    /// <returns>The end of that.</returns>
    public ValueTask DisposeAsync() => _parts.DisposeAsync();

    /// <summary>Closes all connections at once; operations under way end without an answer. Those of a cache stay open.</summary>
    public void Dispose() => _parts.Dispose();

    private async ValueTask<MemcachedResult<T>> ReadAsync<T>(ClientCall call)
        => _results.Value<T>(call, await _calls.ExecuteAsync(call).ConfigureAwait(false));

    private async ValueTask<MemcachedResult<MemcachedItem<T>>> ReadItemAsync<T>(ClientCall call)
        => _results.Item<T>(call, await _calls.ExecuteAsync(call).ConfigureAwait(false));

    private async ValueTask<MemcachedResult<int>> CopyAsync(ClientCall call, IBufferWriter<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        return ClientResults.Copy(call, await _calls.ExecuteAsync(call).ConfigureAwait(false), destination);
    }

    private async ValueTask<MemcachedResult> ChangeAsync(ClientCall call)
        => ClientResults.Changed(call, await _calls.ExecuteAsync(call).ConfigureAwait(false));

    private async ValueTask<MemcachedResult<ulong>> CountAsync(ClientCall call)
        => ClientResults.Number(call, await _calls.ExecuteAsync(call).ConfigureAwait(false));

    private async ValueTask<MemcachedResult> StoreAsync<T>(ClientCall call, T value)
    {
        using var stored = StoredBytes.Of(value, _parts.Settings.Serializer);
        call = call with { Value = stored.Bytes, Flags = stored.Flags };
        MemcachedResult result = ClientResults.Changed(call, await _calls.ExecuteAsync(call).ConfigureAwait(false));
        if (call.Verb == ClientVerb.Set && result.Outcome is MemcachedOutcome.TooLarge or MemcachedOutcome.OutOfMemory)
        {
            await ClearAsync(call.Key, call.Mode).ConfigureAwait(false);
        }

        return result;
    }

    /// <summary>The older value under a key whose new one the server did not take is not to be read any more.</summary>
    private async ValueTask ClearAsync(MemcachedKey key, CallMode mode)
        => await _calls.ExecuteAsync(new ClientCall(ClientVerb.Delete, key, mode, CancellationToken.None)).ConfigureAwait(false);

    private async Task<MemcachedResults> ChangeManyAsync(ClientVerb verb, IEnumerable<MemcachedKey> keys, int wireTime, CancellationToken cancellationToken)
    {
        var many = new ManyChanges(
            ManyCalls.ArrayOf(keys),
            key => new ClientCall(verb, key, CallMode.Async, cancellationToken) { TimeToLive = wireTime });
        await _many.RunAsync(many).ConfigureAwait(false);
        return many.Results;
    }

    /// <summary>A blocking call has blocked in the engine already: its task is complete here, and nothing is waited for.</summary>
    private static T Complete<T>(ValueTask<T> task)
    {
        Debug.Assert(task.IsCompleted, "a blocking call is complete when it returns");
        return task.GetAwaiter().GetResult();
    }
}
