using System.Buffers;

#pragma warning disable CA1716 // Get and Set are the words of memcached, and of IDistributedCache.

namespace MemcachedDistributedCache;

/// <summary>
/// All of memcached, typed, on pipelined connections that all callers share. Thread-safe.
/// <para>
/// What a server does, or does not do, is an outcome and never an exception. Exceptions are thrown for wrong arguments, for
/// cancellation (<see cref="OperationCanceledException"/>: a change may have been made all the same), for a client that has been
/// disposed, and by a serializer. A time to live is rounded up to whole seconds and counted by the server's clock, which ticks once a
/// second, so that an item may go a second early. It may be a second to 365 days; null means the option
/// <see cref="MemcachedClientOptions.DefaultTimeToLive"/>.
/// </para>
/// <para>
/// What can be repeated without harm (reads, <c>set</c>, <c>touch</c>) is tried again, as the options say. Everything else is sent at
/// most once: where its answer is lost the outcome is <see cref="MemcachedOutcome.Unknown"/>. Methods without <c>Async</c> block their
/// thread, on connections of their own, and do not need the thread pool.
/// </para>
/// </summary>
public interface IMemcachedClient
{
    /// <summary>Reads a value (<c>get</c>).</summary>
    /// <typeparam name="T">Its type: bytes, text, an integer, or what the serializer knows.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// The value; <see cref="MemcachedOutcome.NotFound"/>; <see cref="MemcachedOutcome.Unreadable"/>;
    /// <see cref="MemcachedOutcome.TooLarge"/> for one above <see cref="MemcachedClientOptions.MaximumValueBytes"/>; or
    /// <see cref="MemcachedOutcome.Unavailable"/>. An item that was marked as stale is not found here;
    /// <see cref="GetItemAsync{T}"/> reads it.
    /// </returns>
    ValueTask<MemcachedResult<T>> GetAsync<T>(MemcachedKey key, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="GetAsync{T}"/>
    MemcachedResult<T> Get<T>(MemcachedKey key);

    /// <summary>Reads the bytes of a value into a writer.</summary>
    /// <param name="key">The key.</param>
    /// <param name="destination">Takes the bytes. Nothing is written unless the outcome is a success.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many bytes there were, or another outcome, as with <see cref="GetAsync{T}"/>.</returns>
    ValueTask<MemcachedResult<int>> GetAsync(MemcachedKey key, IBufferWriter<byte> destination, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="GetAsync(MemcachedKey, IBufferWriter{byte}, CancellationToken)"/>
    MemcachedResult<int> Get(MemcachedKey key, IBufferWriter<byte> destination);

    /// <summary>Reads a value with its CAS, time to live, last access and size, also where it was marked as stale (<c>gets</c>, <c>mg</c>).</summary>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The item, or another outcome, as with <see cref="GetAsync{T}"/>.</returns>
    ValueTask<MemcachedResult<MemcachedItem<T>>> GetItemAsync<T>(MemcachedKey key, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="GetItemAsync{T}"/>
    MemcachedResult<MemcachedItem<T>> GetItem<T>(MemcachedKey key);

    /// <summary>Reads a value and gives the item a new time to live (<c>gat</c>).</summary>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="timeToLive">The time to live from now on.</param>
    /// <param name="cancellationToken">Ends the wait; the item may have been touched all the same.</param>
    /// <returns>The value, or another outcome, as with <see cref="GetAsync{T}"/>.</returns>
    ValueTask<MemcachedResult<T>> GetAndTouchAsync<T>(MemcachedKey key, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="GetAndTouchAsync{T}"/>
    MemcachedResult<T> GetAndTouch<T>(MemcachedKey key, TimeSpan? timeToLive = null);

    /// <summary>Stores a value, whatever is there (<c>set</c>).</summary>
    /// <typeparam name="T">Its type: bytes, text, an integer, or what the serializer knows.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="timeToLive">The time to live.</param>
    /// <param name="cancellationToken">Ends the wait; the value may have been stored all the same.</param>
    /// <returns>
    /// Success with the item's state; <see cref="MemcachedOutcome.TooLarge"/>, <see cref="MemcachedOutcome.OutOfMemory"/>: then the
    /// older value has been removed where that could be done; <see cref="MemcachedOutcome.Unavailable"/> or
    /// <see cref="MemcachedOutcome.Unknown"/>: then the key is not found until its server has heard of a removal or a later change
    /// (<see cref="MemcachedClientOptions.RemoveUncertain"/>).
    /// </returns>
    ValueTask<MemcachedResult> SetAsync<T>(MemcachedKey key, T value, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="SetAsync{T}"/>
    MemcachedResult Set<T>(MemcachedKey key, T value, TimeSpan? timeToLive = null);

    /// <summary>Stores a value if there is none (<c>add</c>).</summary>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="timeToLive">The time to live.</param>
    /// <param name="cancellationToken">Ends the wait; the value may have been stored all the same.</param>
    /// <returns>Success; <see cref="MemcachedOutcome.NotStored"/> where there is an item; or another outcome, as with <see cref="SetAsync{T}"/>.</returns>
    ValueTask<MemcachedResult> AddAsync<T>(MemcachedKey key, T value, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="AddAsync{T}"/>
    MemcachedResult Add<T>(MemcachedKey key, T value, TimeSpan? timeToLive = null);

    /// <summary>Stores a value if there is one (<c>replace</c>).</summary>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="timeToLive">The time to live.</param>
    /// <param name="cancellationToken">Ends the wait; the value may have been stored all the same.</param>
    /// <returns>Success; <see cref="MemcachedOutcome.NotStored"/> where there is no item; or another outcome, as with <see cref="SetAsync{T}"/>.</returns>
    ValueTask<MemcachedResult> ReplaceAsync<T>(MemcachedKey key, T value, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="ReplaceAsync{T}"/>
    MemcachedResult Replace<T>(MemcachedKey key, T value, TimeSpan? timeToLive = null);

    /// <summary>Stores a value over the item in one state (<c>cas</c>).</summary>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="cas">The state, from <see cref="GetItemAsync{T}"/> or from a store.</param>
    /// <param name="timeToLive">The time to live.</param>
    /// <param name="cancellationToken">Ends the wait; the value may have been stored all the same.</param>
    /// <returns>
    /// Success with the new state; <see cref="MemcachedOutcome.Conflict"/>; <see cref="MemcachedOutcome.NotFound"/>; or another outcome,
    /// as with <see cref="SetAsync{T}"/>.
    /// </returns>
    ValueTask<MemcachedResult> CompareAndSetAsync<T>(
        MemcachedKey key,
        T value,
        MemcachedCas cas,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default);

    /// <inheritdoc cref="CompareAndSetAsync{T}"/>
    MemcachedResult CompareAndSet<T>(MemcachedKey key, T value, MemcachedCas cas, TimeSpan? timeToLive = null);

    /// <summary>Puts bytes behind those of an item (<c>append</c>), which keeps its flags and its time to live.</summary>
    /// <typeparam name="T">The type of the value; text and bytes are of use here.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="value">The value whose bytes are put there.</param>
    /// <param name="createFor">Where there is no item, one of this value is made that lives so long; null for none.</param>
    /// <param name="cancellationToken">Ends the wait; the bytes may have been put there all the same.</param>
    /// <returns>Success; <see cref="MemcachedOutcome.NotStored"/> where there is no item; or another outcome, as with <see cref="SetAsync{T}"/>.</returns>
    ValueTask<MemcachedResult> AppendAsync<T>(MemcachedKey key, T value, TimeSpan? createFor = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="AppendAsync{T}"/>
    MemcachedResult Append<T>(MemcachedKey key, T value, TimeSpan? createFor = null);

    /// <summary>Puts bytes before those of an item (<c>prepend</c>), which keeps its flags and its time to live.</summary>
    /// <typeparam name="T">The type of the value; text and bytes are of use here.</typeparam>
    /// <param name="key">The key.</param>
    /// <param name="value">The value whose bytes are put there.</param>
    /// <param name="createFor">Where there is no item, one of this value is made that lives so long; null for none.</param>
    /// <param name="cancellationToken">Ends the wait; the bytes may have been put there all the same.</param>
    /// <returns>As with <see cref="AppendAsync{T}"/>.</returns>
    ValueTask<MemcachedResult> PrependAsync<T>(MemcachedKey key, T value, TimeSpan? createFor = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="PrependAsync{T}"/>
    MemcachedResult Prepend<T>(MemcachedKey key, T value, TimeSpan? createFor = null);

    /// <summary>Deletes an item (<c>delete</c>).</summary>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Ends the wait; the item may have been deleted all the same.</param>
    /// <returns>
    /// Success; <see cref="MemcachedOutcome.NotFound"/>; or no answer, and then the key is not found until its server has heard of the
    /// deletion (<see cref="MemcachedClientOptions.RemoveUncertain"/>).
    /// </returns>
    ValueTask<MemcachedResult> DeleteAsync(MemcachedKey key, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="DeleteAsync"/>
    MemcachedResult Delete(MemcachedKey key);

    /// <summary>Deletes the item in one state.</summary>
    /// <param name="key">The key.</param>
    /// <param name="cas">The state, from <see cref="GetItemAsync{T}"/> or from a store.</param>
    /// <param name="cancellationToken">Ends the wait; the item may have been deleted all the same.</param>
    /// <returns>Success; <see cref="MemcachedOutcome.Conflict"/>; <see cref="MemcachedOutcome.NotFound"/>; or no answer.</returns>
    ValueTask<MemcachedResult> CompareAndDeleteAsync(MemcachedKey key, MemcachedCas cas, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="CompareAndDeleteAsync"/>
    MemcachedResult CompareAndDelete(MemcachedKey key, MemcachedCas cas);

    /// <summary>
    /// Marks an item as stale (<c>md I</c>): <see cref="GetAsync{T}"/> does not find it any more, <see cref="GetItemAsync{T}"/> tells one
    /// of its readers to replace it: the first that reads it in any way, whose answer may be lost. A mark that gets no answer is not made
    /// up for.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="timeToLive">How long the stale item lives on.</param>
    /// <param name="cancellationToken">Ends the wait; the item may have been marked all the same.</param>
    /// <returns>
    /// Success; <see cref="MemcachedOutcome.NotFound"/>; <see cref="MemcachedOutcome.Unsupported"/> on servers without meta commands; or
    /// no answer.
    /// </returns>
    ValueTask<MemcachedResult> MarkStaleAsync(MemcachedKey key, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="MarkStaleAsync"/>
    MemcachedResult MarkStale(MemcachedKey key, TimeSpan? timeToLive = null);

    /// <summary>
    /// Adds to a number (<c>incr</c>), an unsigned one of 64 bits that is stored as decimal digits; an integer that was
    /// <see cref="SetAsync{T}">set</see> is one. Beyond 18 446 744 073 709 551 615 the sum goes on at 0.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="delta">How much.</param>
    /// <param name="cancellationToken">Ends the wait; the number may have been changed all the same.</param>
    /// <returns>
    /// The new number; <see cref="MemcachedOutcome.NotFound"/>; <see cref="MemcachedOutcome.Rejected"/> where the item is no number;
    /// <see cref="MemcachedOutcome.Unavailable"/>, also while the key's server is down and others serve its cached values
    /// (<see cref="MemcachedClientOptions.CounterFailover"/>); or <see cref="MemcachedOutcome.Unknown"/>.
    /// </returns>
    ValueTask<MemcachedResult<ulong>> IncrementAsync(MemcachedKey key, ulong delta = 1, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="IncrementAsync(MemcachedKey, ulong, CancellationToken)"/>
    MemcachedResult<ulong> Increment(MemcachedKey key, ulong delta = 1);

    /// <summary>Adds to a number, or makes one where there is none.</summary>
    /// <param name="key">The key.</param>
    /// <param name="delta">How much.</param>
    /// <param name="initial">The number that is made; nothing is added to it.</param>
    /// <param name="timeToLive">The time to live of a number that is made; that of one that is there stays.</param>
    /// <param name="cancellationToken">Ends the wait; the number may have been changed all the same.</param>
    /// <returns>The number, or another outcome, as with <see cref="IncrementAsync(MemcachedKey, ulong, CancellationToken)"/>.</returns>
    ValueTask<MemcachedResult<ulong>> IncrementAsync(
        MemcachedKey key,
        ulong delta,
        ulong initial,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default);

    /// <inheritdoc cref="IncrementAsync(MemcachedKey, ulong, ulong, TimeSpan?, CancellationToken)"/>
    MemcachedResult<ulong> Increment(MemcachedKey key, ulong delta, ulong initial, TimeSpan? timeToLive = null);

    /// <summary>Takes from a number (<c>decr</c>), which stays at 0 where more is taken than there is.</summary>
    /// <param name="key">The key.</param>
    /// <param name="delta">How much.</param>
    /// <param name="cancellationToken">Ends the wait; the number may have been changed all the same.</param>
    /// <returns>The new number, or another outcome, as with <see cref="IncrementAsync(MemcachedKey, ulong, CancellationToken)"/>.</returns>
    ValueTask<MemcachedResult<ulong>> DecrementAsync(MemcachedKey key, ulong delta = 1, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="DecrementAsync(MemcachedKey, ulong, CancellationToken)"/>
    MemcachedResult<ulong> Decrement(MemcachedKey key, ulong delta = 1);

    /// <summary>Takes from a number, or makes one where there is none.</summary>
    /// <param name="key">The key.</param>
    /// <param name="delta">How much.</param>
    /// <param name="initial">The number that is made; nothing is taken from it.</param>
    /// <param name="timeToLive">The time to live of a number that is made; that of one that is there stays.</param>
    /// <param name="cancellationToken">Ends the wait; the number may have been changed all the same.</param>
    /// <returns>The number, or another outcome, as with <see cref="IncrementAsync(MemcachedKey, ulong, CancellationToken)"/>.</returns>
    ValueTask<MemcachedResult<ulong>> DecrementAsync(
        MemcachedKey key,
        ulong delta,
        ulong initial,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default);

    /// <inheritdoc cref="DecrementAsync(MemcachedKey, ulong, ulong, TimeSpan?, CancellationToken)"/>
    MemcachedResult<ulong> Decrement(MemcachedKey key, ulong delta, ulong initial, TimeSpan? timeToLive = null);

    /// <summary>Gives an item a new time to live (<c>touch</c>).</summary>
    /// <param name="key">The key.</param>
    /// <param name="timeToLive">The time to live from now on.</param>
    /// <param name="cancellationToken">Ends the wait; the item may have been touched all the same.</param>
    /// <returns>Success; <see cref="MemcachedOutcome.NotFound"/>; or no answer.</returns>
    ValueTask<MemcachedResult> TouchAsync(MemcachedKey key, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TouchAsync"/>
    MemcachedResult Touch(MemcachedKey key, TimeSpan? timeToLive = null);

    /// <summary>Reads many values at once: what is asked of one server goes out together.</summary>
    /// <typeparam name="T">The type of the values.</typeparam>
    /// <param name="keys">The keys; the same one may be there several times.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The result of each key, in the order of the keys.</returns>
    Task<MemcachedResults<T>> GetManyAsync<T>(IEnumerable<MemcachedKey> keys, CancellationToken cancellationToken = default);

    /// <summary>The same, each result as soon as it has come. The order is that in which servers answer.</summary>
    /// <typeparam name="T">The type of the values.</typeparam>
    /// <param name="keys">The keys.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The results.</returns>
    IAsyncEnumerable<KeyValuePair<MemcachedKey, MemcachedResult<T>>> StreamAsync<T>(
        IEnumerable<MemcachedKey> keys,
        CancellationToken cancellationToken = default);

    /// <summary>Stores many values at once.</summary>
    /// <typeparam name="T">The type of the values.</typeparam>
    /// <param name="items">The keys and their values; of a key that is there several times the last value stays.</param>
    /// <param name="timeToLive">The time to live of each.</param>
    /// <param name="cancellationToken">Ends the wait; values may have been stored all the same.</param>
    /// <returns>The result of each item, in their order.</returns>
    Task<MemcachedResults> SetManyAsync<T>(
        IEnumerable<KeyValuePair<MemcachedKey, T>> items,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default);

    /// <summary>Deletes many items at once.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="cancellationToken">Ends the wait; items may have been deleted all the same.</param>
    /// <returns>The result of each key, in the order of the keys.</returns>
    Task<MemcachedResults> DeleteManyAsync(IEnumerable<MemcachedKey> keys, CancellationToken cancellationToken = default);

    /// <summary>Gives many items a new time to live at once.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="timeToLive">The time to live of each from now on.</param>
    /// <param name="cancellationToken">Ends the wait; items may have been touched all the same.</param>
    /// <returns>The result of each key, in the order of the keys.</returns>
    Task<MemcachedResults> TouchManyAsync(IEnumerable<MemcachedKey> keys, TimeSpan? timeToLive = null, CancellationToken cancellationToken = default);

    /// <summary>Adds to many numbers at once.</summary>
    /// <param name="keys">The keys; to one that is there twice it is added twice.</param>
    /// <param name="delta">How much.</param>
    /// <param name="initial">The number that is made where there is none; null for none.</param>
    /// <param name="timeToLive">The time to live of numbers that are made.</param>
    /// <param name="cancellationToken">Ends the wait; numbers may have been changed all the same.</param>
    /// <returns>The result of each key, in the order of the keys.</returns>
    Task<MemcachedResults<ulong>> IncrementManyAsync(
        IEnumerable<MemcachedKey> keys,
        ulong delta = 1,
        ulong? initial = null,
        TimeSpan? timeToLive = null,
        CancellationToken cancellationToken = default);

    /// <summary>
    /// Lets all items of all servers expire (<c>flush_all</c>), those of every application and namespace. A proxy or a managed service
    /// may refuse that.
    /// </summary>
    /// <param name="delay">When, from now on; at once by default. Up to 30 days.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The outcome of each server.</returns>
    Task<IReadOnlyList<MemcachedServerResult>> FlushAsync(TimeSpan delay = default, CancellationToken cancellationToken = default);

    /// <summary>Asks all servers for statistics (<c>stats</c>).</summary>
    /// <param name="kind">The kind of statistics.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The answer of each server.</returns>
    Task<IReadOnlyList<MemcachedServerStatistics>> GetStatisticsAsync(
        MemcachedStatisticsKind kind = MemcachedStatisticsKind.General,
        CancellationToken cancellationToken = default);

    /// <summary>Lets all servers begin to count anew (<c>stats reset</c>).</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The outcome of each server.</returns>
    Task<IReadOnlyList<MemcachedServerResult>> ResetStatisticsAsync(CancellationToken cancellationToken = default);

    /// <summary>Asks all servers for a sign of life, and tells their versions.</summary>
    /// <param name="timeout">How long to wait for each; the option <see cref="MemcachedClientOptions.OperationTimeout"/> by default.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The answer of each server.</returns>
    Task<IReadOnlyList<MemcachedNodePing>> PingAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default);

    /// <summary>Tells which server owns a key, without asking anybody.</summary>
    /// <param name="key">The key.</param>
    /// <returns>Its address as configured; null while no server is known.</returns>
    string? NodeOf(MemcachedKey key);

    /// <summary>The state and the counts of each server, as this process has seen them.</summary>
    /// <returns>One status for each server, in the order of the options.</returns>
    IReadOnlyList<MemcachedNodeStatus> GetNodes();
}
