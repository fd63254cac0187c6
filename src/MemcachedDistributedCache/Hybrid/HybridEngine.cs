using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Telemetry;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The parts of the hybrid cache, put together: finds values in the local cache, and runs operations for those that are not there.</summary>
internal sealed class HybridEngine : IAsyncDisposable, IDisposable
{
    /// <summary>How long the end of the cache is held up by what is under way; a server that does not answer keeps no process from ending.</summary>
    public static readonly TimeSpan ShutdownLimit = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _disposed = new();
    private readonly SingleFlightTable _singleFlights = new();
    private readonly ConcurrentDictionary<Type, LogLimiter> _unreadable = new();
    private readonly ICacheBackend _backend;
    private readonly HybridMetrics _metrics;
    private readonly EntryChanges _changes;
    private int _isDisposed;

    public HybridEngine(ICacheBackend backend, KeyEncoder keys, HybridSettings settings, IServiceProvider? services, TimeProvider timeProvider, ILogger logger, int maximumTags = 100_000, CacheTelemetry? telemetry = null, TimeProvider? ioTime = null)
    {
        _backend = backend;
        Keys = keys;
        Settings = settings;
        Time = timeProvider;
        IoTime = ioTime ?? TimeProvider.System;
        Logger = logger;
        TagTable = new TagTable(backend, keys, timeProvider, maximumTags);
        Tags = new TagTracker(backend, TagTable, Counters, timeProvider, settings.TagRefreshInterval);
        Layout = new EntryLayout(keys, TagTable, settings.MaximumTags);
        Local = new LocalCache(settings, timeProvider);
        Remote = new RemoteCache(backend, Layout, settings, Counters, timeProvider, IoTime, logger);
        Writer = new EntryWriter(Remote, Local, Layout, settings, Counters, timeProvider, logger);
        Codecs = new ValueCodecs(services, settings.VerifiesSerialization == true, logger);
        Refreshes = new RefreshTable(IoTime, _disposed.Token);
        Factories = new FactoryRuns(Counters, telemetry ?? CacheTelemetry.Silent, IoTime);
        _changes = new EntryChanges(this);
        _metrics = new HybridMetrics(Counters, telemetry ?? CacheTelemetry.Silent);
    }

    public HybridCounters Counters { get; } = new();

    public FactoryRuns Factories { get; }

    public KeyEncoder Keys { get; }

    public HybridSettings Settings { get; }

    /// <summary>The application's clock: it decides what has expired, and how old a copy or a tag's version is.</summary>
    public TimeProvider Time { get; }

    /// <summary>The clock of leases, pauses and time limits: the system's, which goes on whatever the application does with its own.</summary>
    public TimeProvider IoTime { get; }

    public ILogger Logger { get; }

    public TagTable TagTable { get; }

    public TagTracker Tags { get; }

    public EntryLayout Layout { get; }

    public LocalCache Local { get; }

    public RemoteCache Remote { get; }

    public EntryWriter Writer { get; }

    public ValueCodecs Codecs { get; }

    public RefreshTable Refreshes { get; }

    /// <summary>Is told when the engine has been disposed.</summary>
    public Action<HybridEngine>? WhenDisposed { get; init; }

    /// <summary>Cancelled when the cache is disposed.</summary>
    public CancellationToken Disposed => _disposed.Token;

    /// <summary>How many single flights are under way.</summary>
    public int SingleFlightCount => _singleFlights.Count;

    /// <summary>Whether a key can have an entry.</summary>
    public bool IsUsable([NotNullWhen(true)] string? key)
    {
        if (!string.IsNullOrWhiteSpace(key) && key.Length <= Settings.MaximumKeyLength)
        {
            return true;
        }

        Counters.Add(HybridEvent.OversizeRejected);
        HybridLog.HybridKeyNotUsable(Logger, key?.Length ?? 0, Settings.MaximumKeyLength);
        return false;
    }

    /// <summary>Throws after the cache has been disposed.</summary>
    /// <param name="orBelow">Whether the cache below counts too; a value of the local cache does not need it.</param>
    public void ThrowIfDisposed(bool orBelow = true)
    {
#pragma warning disable CA1513 // The caller knows the cache, not the engine below it.
        if (Volatile.Read(ref _isDisposed) != 0 || (orBelow && _backend.IsDisposed))
        {
            throw new ObjectDisposedException("MemcachedHybridCache");
        }
#pragma warning restore CA1513
    }

    /// <summary>A value from the local cache that may be served without asking anybody.</summary>
    public bool TryGetLocal<T>(string key, in CallOptions options, [MaybeNullWhen(false)] out T value, out CacheSource source)
    {
        if (options.MayReadLocal && Local.Find(key) is { } entry && IsFresh(entry))
        {
            if (TryServe(entry, out value, out source))
            {
                return true;
            }

            Local.Drop(key, entry);
        }

        value = default;
        source = CacheSource.None;
        return false;
    }

    /// <summary>The same by a key that is no string: none is made for a value that is there.</summary>
    public bool TryGetLocal<T>(ReadOnlySpan<char> key, in CallOptions options, [MaybeNullWhen(false)] out T value, out CacheSource source)
    {
        if (options.MayReadLocal && Local.Find(key) is { } entry && IsFresh(entry))
        {
            if (TryServe(entry, out value, out source))
            {
                return true;
            }

            Local.Drop(key.ToString(), entry);
        }

        value = default;
        source = CacheSource.None;
        return false;
    }

    private bool IsFresh(CachedEntry entry)
    {
        long now = Time.GetTimestamp();
        return now < entry.FreshUntil && Tags.Check(entry.Tags, now) == TagCheck.Valid;
    }

    private bool TryServe<T>(CachedEntry entry, [MaybeNullWhen(false)] out T value, out CacheSource source)
    {
        if (!TryDecode(entry, out value))
        {
            source = CacheSource.None;
            return false;
        }

        Counters.Add(entry.IsStale ? HybridEvent.StaleServed : HybridEvent.LocalHit);
        source = entry.IsStale ? CacheSource.Stale : CacheSource.Local;
        return true;
    }

    /// <summary>The value of an entry for one caller; false if it is not one of this type, and then the local copy is forgotten.</summary>
    public bool TryRead<T>(string key, CachedEntry entry, [MaybeNullWhen(false)] out T value)
    {
        if (TryDecode(entry, out value))
        {
            return true;
        }

        Local.Drop(key, entry);
        return false;
    }

    private bool TryDecode<T>(CachedEntry entry, [MaybeNullWhen(false)] out T value)
    {
        if (entry is CachedEntry<T> shared)
        {
            value = shared.Value;
            return true;
        }

        if (entry.GetType() == typeof(CachedEntry))
        {
            if (entry.Kind == PayloadKind.Null && default(T) is null)
            {
                value = default!;
                return true;
            }

            ValueCodec<T> codec = Codecs.Of<T>();
            try
            {
                value = codec.Read(entry.Kind, entry.Payload);
                return true;
            }
            catch (Exception exception)
            {
                // Whatever a serializer throws at what it cannot read: it is a miss.
                Counters.Add(HybridEvent.DeserializationFailed);
                if (_unreadable.GetOrAdd(typeof(T), static _ => new LogLimiter()).TryPass(out long suppressed))
                {
                    HybridLog.HybridNotDeserializable(Logger, typeof(T).ToString(), suppressed, exception);
                }

                codec.Proof?.NoteUnreadable(exception);
            }
        }

        value = default;
        return false;
    }

    /// <summary>Gets a value that is not in the local cache, together with all who ask for it meanwhile where it is shared.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(T Value, CacheSource Source)> GetOrCreateAsync<TState, T>(string key, CallOptions options, IReadOnlyList<string> tags, ValueFactory<TState, T> factory, CancellationToken cancellationToken, bool isShared = true)
    {
        ValueCodec<T> codec = Codecs.Of<T>();
        if (codec.IsRefused)
        {
            // The cluster has no value that could be read, and a lease would only hold others up.
            options = options.OutOfTheCluster();
        }

        var singleFlightKey = new SingleFlightKey(key, options.Distinct, typeof(T));
        FactoryScope? scope = FactoryScope.Current;
        bool holdsLease = scope is not null && scope.Holds(this, singleFlightKey, isShared ? FactoryKind.SingleFlight : FactoryKind.Batch);
        bool mayEndEarly = Settings.FactorySoftTimeout != Timeout.InfiniteTimeSpan;
        Outcome<T> outcome;
        bool isNew;
        for (bool isFirst = true; ; isFirst = false)
        {
            long version = Local.VersionOf(key);
            (SingleFlight<T> singleFlight, isNew) = isShared && !holdsLease
                ? _singleFlights.Enter<T>(singleFlightKey, version, Tags.Invalidations, mayEndEarly, cancellationToken)
                : (_singleFlights.Add(new SingleFlight<T>(version, Tags.Invalidations, mayEndEarly) { IsOfBatch = !isShared, FirstCaller = cancellationToken }), true);
            if (scope is not null && !scope.TryAwait(singleFlight))
            {
                // Somebody else's single flight waits for what this flow makes: who joined it would wait for ever.
                singleFlight.Forsake();
                holdsLease = true;
                continue;
            }

            try
            {
                if (isNew)
                {
                    singleFlight.Start(new GetOrCreateOperation<TState, T>(this, singleFlightKey, options, tags, version, codec, factory, holdsLease));
                }
                else
                {
                    Counters.Add(HybridEvent.SingleFlightJoined);
                }

                outcome = await (isNew ? singleFlight.WaitFirstAsync(cancellationToken) : singleFlight.WaitAsync(cancellationToken)).ConfigureAwait(false);
                break;
            }
            catch (Exception exception) when (!isNew && !cancellationToken.IsCancellationRequested && singleFlight.MayHaveFailedForFirstCaller(exception, isFirst))
            {
                ThrowIfDisposed();
            }
            finally
            {
                scope?.EndAwait(singleFlight);
            }
        }

        if (isNew && scope is null && outcome.Refresh is { } refresh && !Settings.RefreshInBackground)
        {
            // Somebody has to make the new value, and this is the one; all others have the old one by now. A factory does not wait: the refresh may ask for what
            // that factory makes, and nobody would see the circle.
            outcome = await refresh.WaitAsync(cancellationToken).ConfigureAwait(false) ?? outcome;
        }

        if (outcome.Source == CacheSource.Stale)
        {
            Counters.Add(HybridEvent.StaleServed);
        }

        return (outcome.Take(codec), outcome.Source);
    }

    /// <summary>Makes a value whose key cannot be used; it is kept nowhere.</summary>
    public async ValueTask<(T Value, CacheSource Source)> MakeAsync<TState, T>(string? key, CallOptions options, ValueFactory<TState, T> factory, CancellationToken cancellationToken)
    {
        var singleFlightKey = new SingleFlightKey(key ?? "", options.Distinct, typeof(T));
        FactoryScope.Current?.Holds(this, singleFlightKey, FactoryKind.SingleFlight);
        if (!options.MayCreate)
        {
            return (default!, CacheSource.None);
        }

        using var scope = FactoryScope.Enter(this, FactoryKind.SingleFlight, singleFlightKey);
        try
        {
            return (await Factories.RunAsync(factory, factory.NewContext(options), cancellationToken).ConfigureAwait(false), CacheSource.Factory);
        }
        catch (Exception exception)
        {
            Factories.NoteFailed(exception, cancellationToken);
            throw;
        }
    }

    /// <summary>A single flight has ended.</summary>
    public void Leave<T>(SingleFlightKey key, SingleFlight<T> singleFlight) => _singleFlights.Leave(key, singleFlight);

    /// <inheritdoc cref="EntryChanges.SetAsync"/>
    public Task SetAsync<T>(string key, T value, CallOptions options, IReadOnlyList<string> tags) => _changes.SetAsync(key, value, options, tags);

    /// <inheritdoc cref="EntryChanges.RemoveAsync(string)"/>
    public Task RemoveAsync(string key) => _changes.RemoveAsync(key);

    /// <inheritdoc cref="EntryChanges.RemoveAsync(IReadOnlyList{string})"/>
    public Task RemoveAsync(IReadOnlyList<string> keys) => _changes.RemoveAsync(keys);

    /// <summary>
    /// Cancels factories, gives leases back and delivers what is undelivered, for <see cref="ShutdownLimit"/> at most: all that other processes would wait for, or
    /// would not hear of.
    /// </summary>
    public async Task ReleaseAsync()
    {
        _ = _disposed.CancelAsync();
        _singleFlights.AbortAll();
        Task ending = Task.WhenAll(Remote.Leases.CloseAsync(), Tags.DeliverPendingAsync(), _changes.UnderWay.WhenNoneAsync());
        await ending.WaitAsync(ShutdownLimit, TimeProvider.System, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            await ReleaseAsync().ConfigureAwait(false);
            End();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            // The connections may be closed as soon as this returns.
            ReleaseAsync().Wait(ShutdownLimit);
            End();
        }
    }

    private void End()
    {
        _metrics.Dispose();
        Local.Dispose();
        WhenDisposed?.Invoke(this);
    }
}
