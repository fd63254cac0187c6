using System.Runtime.CompilerServices;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Hybrid;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache;

/// <summary>
/// A <see cref="HybridCache"/> on a cluster of memcached servers: values lie in the local cache and in the cluster, and
/// a missing one is made by one factory run for all processes. Thread-safe, and meant to live as long as the
/// application. Nothing that happens to a server is an exception here, whatever
/// <see cref="MemcachedCacheOptions.FailureMode"/> says: values are then made by their factories.
/// <para>
/// Types that cannot be changed (strings, types without references, and sealed ones that are marked
/// <c>[ImmutableObject(true)]</c>) are shared among callers; of any other each caller gets an object of its own.
/// </para>
/// </summary>
public sealed class MemcachedHybridCache : HybridCache, IAsyncDisposable, IDisposable
{
    private readonly HybridParts _parts;
    private readonly EntryReader _reader;
    private readonly IServiceScopeFactory? _scopes;

    /// <summary>Makes a hybrid cache on the cluster of another cache, whose options it takes.</summary>
    /// <param name="cache">The cache whose connections it shares; it must outlive this one.</param>
    /// <param name="services">Where serializers are looked for, and scopes for factories come from; none by default,
    /// which leaves text, bytes and JSON.</param>
    /// <param name="loggerFactory">Where to log; nowhere by default.</param>
    public MemcachedHybridCache(MemcachedCache cache, IServiceProvider? services = null, ILoggerFactory? loggerFactory = null)
    {
        ArgumentNullException.ThrowIfNull(cache);
        _scopes = (IServiceScopeFactory?)services?.GetService(typeof(IServiceScopeFactory));
        _parts = cache.CreateHybrid(services, (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<MemcachedHybridCache>());
        _reader = _parts.Reader;
    }

    /// <summary>The cache's parts, for tests.</summary>
    internal HybridParts Parts => _parts;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A tag is empty, or is <c>*</c>, or there are more than
    /// <see cref="MemcachedHybridCacheOptions.MaximumTags"/>.</exception>
    /// <exception cref="ArgumentNullException">The factory is null, and the flags do not say that none is to be run
    /// (<see cref="HybridCacheEntryFlags.DisableUnderlyingData"/>).</exception>
    /// <exception cref="ArgumentOutOfRangeException">A <see cref="HybridCacheEntryOptions.LocalSize"/> is below 0.</exception>
    /// <exception cref="InvalidOperationException">No serializer is known for the type; happens only without reflection.</exception>
    public override ValueTask<T> GetOrCreateAsync<TState, T>(
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
        => GetAsync(key, new ValueFactory<TState, T>(state, factory), options, tags, cancellationToken);

    /// <inheritdoc/>
    /// <remarks>
    /// The context shows the options in effect. What the factory makes of them counts for its value alone: how long it
    /// lives, in the cluster and here; whether it is stored (an expiration of zero or less is nowhere,
    /// <see cref="HybridCacheEntryFlags.DisableDistributedCacheWrite"/> in this process only); and the bytes that it
    /// counts for here. It cannot bring into the cluster what its caller keeps out of it. Callers who share the run
    /// share its choice.
    /// </remarks>
    /// <exception cref="ArgumentException">A tag is empty, or is <c>*</c>, or there are more than
    /// <see cref="MemcachedHybridCacheOptions.MaximumTags"/>.</exception>
    /// <exception cref="ArgumentNullException">The factory is null, and the flags do not say that none is to be run.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A <see cref="HybridCacheEntryOptions.LocalSize"/> is below 0, the
    /// caller's or the factory's.</exception>
    public override ValueTask<T> GetOrCreateAsync<TState, T>(
        string key,
        TState state,
        Func<TState, HybridCacheEntryContext, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
        => GetAsync(key, new ValueFactory<TState, T>(state, factory), options, tags, cancellationToken);

    /// <inheritdoc/>
    /// <remarks>No string is made of the key for a value that is in the local cache.</remarks>
    public override ValueTask<T> GetOrCreateAsync<TState, T>(
        ReadOnlySpan<char> key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
        => GetAsync(key, new ValueFactory<TState, T>(state, factory), options, tags, cancellationToken);

    /// <inheritdoc/>
    /// <remarks>
    /// No string is made of the key for a value that is in the local cache. For the context see the overload with a
    /// string.
    /// </remarks>
    public override ValueTask<T> GetOrCreateAsync<TState, T>(
        ReadOnlySpan<char> key,
        TState state,
        Func<TState, HybridCacheEntryContext, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
        => GetAsync(key, new ValueFactory<TState, T>(state, factory), options, tags, cancellationToken);

    /// <summary>The same as <c>GetOrCreateAsync</c>, and tells where the value came from.</summary>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="key">The key of the entry.</param>
    /// <param name="state">What the factory needs; saves a closure.</param>
    /// <param name="factory">Makes the value if there is none. Not needed with
    /// <see cref="HybridCacheEntryFlags.DisableUnderlyingData"/>.</param>
    /// <param name="options">Options of this entry.</param>
    /// <param name="tags">The tags of the entry, should it be made.</param>
    /// <param name="cancellationToken">Ends this caller's wait; the factory is cancelled when all of its callers have left.</param>
    /// <returns>The value and its source.</returns>
    /// <exception cref="ArgumentException">A tag is empty, or is <c>*</c>, or there are more than
    /// <see cref="MemcachedHybridCacheOptions.MaximumTags"/>.</exception>
    public ValueTask<MemcachedHybridResult<T>> GetOrCreateWithSourceAsync<TState, T>(
        string key,
        TState state,
        Func<TState, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
        => GetWithSourceAsync(key, new ValueFactory<TState, T>(state, factory), options, tags, cancellationToken);

    /// <summary>The same for a factory that chooses how its value is kept.</summary>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="key">The key of the entry.</param>
    /// <param name="state">What the factory needs; saves a closure.</param>
    /// <param name="factory">Makes the value if there is none, and may change the context, which shows the options in effect.</param>
    /// <param name="options">Options of this entry.</param>
    /// <param name="tags">The tags of the entry, should it be made.</param>
    /// <param name="cancellationToken">Ends this caller's wait; the factory is cancelled when all of its callers have left.</param>
    /// <returns>The value and its source.</returns>
    /// <exception cref="ArgumentException">A tag is empty, or is <c>*</c>, or there are more than
    /// <see cref="MemcachedHybridCacheOptions.MaximumTags"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A <see cref="HybridCacheEntryOptions.LocalSize"/> is below 0, the
    /// caller's or the factory's.</exception>
    public ValueTask<MemcachedHybridResult<T>> GetOrCreateWithSourceAsync<TState, T>(
        string key,
        TState state,
        Func<TState, HybridCacheEntryContext, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
        => GetWithSourceAsync(key, new ValueFactory<TState, T>(state, factory), options, tags, cancellationToken);

    /// <summary>
    /// The same as <c>GetOrCreateAsync</c> for a factory that needs scoped services, such as a database context: each
    /// run gets a scope of its own, which ends with it. A factory may run on when its caller's request is over: as a
    /// refresh in the background (<see cref="MemcachedHybridCacheOptions.StaleWindow"/>), after
    /// <see cref="MemcachedHybridCacheOptions.FactorySoftTimeout"/>, or for other callers when the first has hung up.
    /// The request's own services are disposed by then.
    /// </summary>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="key">The key of the entry.</param>
    /// <param name="state">What the factory needs besides; saves a closure. Nothing of it may belong to the caller's request.</param>
    /// <param name="factory">Makes the value if there is none, with the services of a new scope. Not needed with
    /// <see cref="HybridCacheEntryFlags.DisableUnderlyingData"/>.</param>
    /// <param name="options">Options of this entry.</param>
    /// <param name="tags">The tags of the entry, should it be made.</param>
    /// <param name="cancellationToken">Ends this caller's wait; the factory is cancelled when all of its callers have left.</param>
    /// <returns>The value.</returns>
    /// <exception cref="ArgumentException">A tag is empty, or is <c>*</c>.</exception>
    /// <exception cref="InvalidOperationException">The cache was made without services.</exception>
    public ValueTask<T> GetOrCreateScopedAsync<TState, T>(
        string key,
        TState state,
        Func<TState, IServiceProvider, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
    {
        if (factory is null)
        {
            return GetAsync(key, default(ValueFactory<TState, T>), options, tags, cancellationToken);
        }

        IServiceScopeFactory scopes = _scopes
            ?? throw new InvalidOperationException(
                "This cache was made without services, so there are no scopes to be had. Give the constructor an IServiceProvider, "
                + "or register the cache with AddMemcachedHybridCache.");
        return GetAsync(key, ScopedFactory.Of(scopes, state, factory), options, tags, cancellationToken);
    }

    /// <inheritdoc cref="GetOrCreateScopedAsync{TState, T}(string, TState, Func{TState, IServiceProvider, CancellationToken, ValueTask{T}}, HybridCacheEntryOptions?, IEnumerable{string}?, CancellationToken)"/>
    public ValueTask<T> GetOrCreateScopedAsync<T>(
        string key,
        Func<IServiceProvider, CancellationToken, ValueTask<T>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
        => factory is null
            ? GetAsync(key, default(ValueFactory<int, T>), options, tags, cancellationToken)
            : GetOrCreateScopedAsync(key, factory, static (make, services, token) => make(services, token), options, tags, cancellationToken);

    /// <summary>
    /// Gets many values at once: those that are missing are asked for with one round trip to each server, and those
    /// that are nowhere are made by one run of the factory, each under its own lease.
    /// </summary>
    /// <typeparam name="T">The type of the values.</typeparam>
    /// <param name="keys">The keys; one that comes twice counts once.</param>
    /// <param name="factory">
    /// Makes the values of the keys that it is given. A key that it leaves out has no value and is not stored. It may
    /// run more than once, for different keys, where other processes make some of the values and fail. Not needed with
    /// <see cref="HybridCacheEntryFlags.DisableUnderlyingData"/>.
    /// </param>
    /// <param name="options">Options of these entries.</param>
    /// <param name="tags">The tags of the entries that are made.</param>
    /// <param name="cancellationToken">Cancels the wait and the factory.</param>
    /// <returns>The values by key; without the keys that have none.</returns>
    /// <exception cref="ArgumentException">A key is null, or a tag is empty or <c>*</c>, or there are more than
    /// <see cref="MemcachedHybridCacheOptions.MaximumTags"/>.</exception>
    public ValueTask<IReadOnlyDictionary<string, T>> GetOrCreateManyAsync<T>(
        IEnumerable<string> keys,
        Func<IReadOnlyList<string>, CancellationToken, ValueTask<IReadOnlyDictionary<string, T>>> factory,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        cancellationToken.ThrowIfCancellationRequested();
        CallOptions call = BeginGet(options, factory);
        _parts.ThrowIfDisposed();
        string[] distinct = [.. keys.Distinct(StringComparer.Ordinal)];
        return Array.IndexOf(distinct, null) >= 0
            ? throw new ArgumentException("A key is null.", nameof(keys))
            : new Batch<T>(
                _parts.Batches,
                _parts.Context,
                call,
                TagsOf(tags),
                factory is null ? null! : new ManyFactory<T>(factory)).RunAsync(distinct, cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A tag is empty, or is <c>*</c>, or there are more than
    /// <see cref="MemcachedHybridCacheOptions.MaximumTags"/>.</exception>
    public override ValueTask SetAsync<T>(
        string key,
        T value,
        HybridCacheEntryOptions? options = null,
        IEnumerable<string>? tags = null,
        CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        CallOptions call = Begin(options);
        _parts.ThrowIfDisposed();
        IReadOnlyList<string> list = TagsOf(tags);

        // Once begun it goes its way: half a change would be worse than one that nobody waits for.
        return _parts.Calls.IsUsable(key) ? new ValueTask(_parts.Changes.SetAsync(key, value, call, list).WaitAsync(cancellationToken)) : default;
    }

    /// <inheritdoc/>
    public override ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        cancellationToken.ThrowIfCancellationRequested();
        _parts.ThrowIfDisposed();
        return _parts.Calls.IsUsable(key) ? new ValueTask(_parts.Changes.RemoveAsync(key).WaitAsync(cancellationToken)) : default;
    }

    /// <inheritdoc/>
    public override ValueTask RemoveAsync(IEnumerable<string>? keys, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _parts.ThrowIfDisposed();

        string[] distinct = [.. (keys ?? []).Where(_parts.Calls.IsUsable).Distinct(StringComparer.Ordinal)];
        return distinct.Length == 0 ? default : new ValueTask(_parts.Changes.RemoveAsync(distinct).WaitAsync(cancellationToken));
    }

    /// <inheritdoc/>
    /// <remarks>No entry has an empty tag, so that nothing is done for one. <c>*</c> stands for all entries.</remarks>
    public override ValueTask RemoveByTagAsync(string tag, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _parts.ThrowIfDisposed();
        return string.IsNullOrWhiteSpace(tag) ? default : new ValueTask(_parts.Tags.InvalidateAsync(tag).WaitAsync(cancellationToken));
    }

    /// <inheritdoc/>
    public override ValueTask RemoveByTagAsync(IEnumerable<string>? tags, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _parts.ThrowIfDisposed();
        string[] distinct = [.. (tags ?? []).Where(static tag => !string.IsNullOrWhiteSpace(tag)).Distinct(StringComparer.Ordinal)];
        return distinct.Length == 0
            ? default
            : new ValueTask(_parts.Tags.InvalidateAsync(distinct, _parts.Context.Width.Requests).WaitAsync(cancellationToken));
    }

    /// <summary>The counts of this cache in this process.</summary>
    public MemcachedHybridStatistics GetStatistics() => MemcachedHybridStatistics.Of(_parts.Context.Counters, _parts.Local.Count);

    /// <summary>
    /// Cancels factories that are under way, gives their leases back, so that another process runs its own at once, and
    /// delivers removals and invalidations that have not reached the cluster; within five seconds. Then frees the local
    /// copies. The cache below goes on.
    /// </summary>
    public ValueTask DisposeAsync() => _parts.DisposeAsync();

    /// <summary>
    /// The same, and blocks meanwhile: for a round trip to the servers if a factory runs, and not at all if nothing is
    /// under way.
    /// </summary>
    public void Dispose() => _parts.Dispose();

    private CallOptions Begin(HybridCacheEntryOptions? options)
    {
        _parts.ThrowIfDisposed(orBelow: false);
        return CallOptions.From(options, _parts.Context.Options);
    }

    private IReadOnlyList<string> TagsOf(IEnumerable<string>? tags) => TagList.Of(tags, _parts.Context.Options.MaximumTags, nameof(tags));

    /// <summary>Who wants no value made needs no factory, as with Microsoft's implementation.</summary>
    private CallOptions BeginGet(HybridCacheEntryOptions? options, Delegate? factory)
    {
        CallOptions call = Begin(options);
        if (call.MayCreate)
        {
            ArgumentNullException.ThrowIfNull(factory);
        }

        return call;
    }

    private ValueTask<T> GetAsync<TState, T>(
        string? key,
        in ValueFactory<TState, T> factory,
        HybridCacheEntryOptions? options,
        IEnumerable<string>? tags,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        CallOptions call = BeginGet(options, factory.Delegate);
        return key is not null && _reader.TryGetLocal<T>(key, call, out T? value, out _)
            ? new ValueTask<T>(value)
            : ValueOfAsync(CreateAsync(key, call, tags, factory, cancellationToken)).Unpooled();
    }

    private ValueTask<T> GetAsync<TState, T>(
        ReadOnlySpan<char> key,
        in ValueFactory<TState, T> factory,
        HybridCacheEntryOptions? options,
        IEnumerable<string>? tags,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        CallOptions call = BeginGet(options, factory.Delegate);
        return _reader.TryGetLocal<T>(key, call, out T? value, out _)
            ? new ValueTask<T>(value)
            : ValueOfAsync(CreateAsync(key.ToString(), call, tags, factory, cancellationToken)).Unpooled();
    }

    private ValueTask<MemcachedHybridResult<T>> GetWithSourceAsync<TState, T>(
        string? key,
        in ValueFactory<TState, T> factory,
        HybridCacheEntryOptions? options,
        IEnumerable<string>? tags,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        CallOptions call = BeginGet(options, factory.Delegate);
        return key is not null && _reader.TryGetLocal<T>(key, call, out T? value, out MemcachedHybridSource source)
            ? new ValueTask<MemcachedHybridResult<T>>(new MemcachedHybridResult<T>(value, source))
            : ResultOfAsync(CreateAsync(key, call, tags, factory, cancellationToken)).Unpooled();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<T> ValueOfAsync<T>(ValueTask<(T Value, MemcachedHybridSource Source)> creation)
        => (await creation.ConfigureAwait(false)).Value;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<MemcachedHybridResult<T>> ResultOfAsync<T>(ValueTask<(T Value, MemcachedHybridSource Source)> creation)
    {
        (T value, MemcachedHybridSource source) = await creation.ConfigureAwait(false);
        return new MemcachedHybridResult<T>(value, source);
    }

    private ValueTask<(T Value, MemcachedHybridSource Source)> CreateAsync<TState, T>(
        string? key,
        CallOptions call,
        IEnumerable<string>? tags,
        ValueFactory<TState, T> factory,
        CancellationToken cancellationToken)
    {
        _parts.ThrowIfDisposed();
        IReadOnlyList<string> list = TagsOf(tags);
        return _parts.Calls.IsUsable(key)
            ? _parts.GetOrCreate.GetAsync(new GetOrCreateRequest<TState, T>(key, call, list, factory), cancellationToken)
            : _parts.GetOrCreate.MakeAsync(key, call, factory, cancellationToken);
    }
}
