using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using MemcachedDistributedCache.Backend;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Resilience;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Distributed;

/// <summary>
/// The semantics of <see cref="IDistributedCache"/> on memcached. Every method serves asynchronous and synchronous callers; for the
/// latter it is complete when it returns, because nothing in it waits for anything but the client, which blocks.
/// </summary>
/// <param name="backend">Asks the servers.</param>
/// <param name="settings">The options.</param>
/// <param name="retries">Repeats what failed, if anything does.</param>
/// <param name="timeProvider">The application's clock, which tells what has expired.</param>
/// <param name="ioTime">The system's clock, for time limits and for what a server is told as a date.</param>
/// <param name="logger">Where to log.</param>
internal sealed class EntryStore(
    ICacheBackend backend,
    EntryStoreSettings settings,
    RetryPolicy? retries,
    TimeProvider timeProvider,
    TimeProvider ioTime,
    ILogger logger) : IEntryStore
{
    private readonly RetryPolicy? _retries = retries;
    private readonly KeyEncoder _keys = new(settings.Namespace, settings.Partition);
    private readonly SlidingWindows _windows = new(backend, settings, timeProvider, ioTime);
    private readonly FailedOperations _failures = new(settings, logger);
    private readonly LogLimiter _unreadable = new();
    private readonly AbandonedWrites _abandoned = new(ioTime, settings.CancelledWriteWindow);

    /// <summary>Reads a value into an array of its own, or null.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<byte[]?> GetAsync(string key, CallMode mode, CancellationToken cancellationToken)
    {
        OperationResult result = await SendGet(key, ValueTarget.OwnArray, mode, cancellationToken).ConfigureAwait(false);
        if (result.Status == ResultStatus.Failed)
        {
            result = await GetAgainAsync(result, key, ValueTarget.OwnArray, mode, cancellationToken).ConfigureAwait(false);
        }

        return IsLive(key, result, cancellationToken) ? result.Value : null;
    }

    /// <summary>
    /// Reads a value into the caller's writer; false where there is none, or where it does not pass the check: then it
    /// is removed, unless it has been replaced.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> TryGetAsync(
        string key,
        IBufferWriter<byte> destination,
        CallMode mode,
        CancellationToken cancellationToken,
        Func<ReadOnlyMemory<byte>, bool>? check = null)
    {
        ArgumentNullException.ThrowIfNull(destination);
        bool withCas = check is not null;
        OperationResult result = await SendGet(key, ValueTarget.PooledArray, mode, cancellationToken, withCas).ConfigureAwait(false);
        if (result.Status == ResultStatus.Failed)
        {
            result = await GetAgainAsync(result, key, ValueTarget.PooledArray, mode, cancellationToken, withCas).ConfigureAwait(false);
        }

        try
        {
            if (!IsLive(key, result, cancellationToken))
            {
                return false;
            }

            if (check is not null && !check(result.Value.AsMemory(0, result.Length)))
            {
                Discard(key, result.CasToken);
                return false;
            }

            // Here, on the caller's own time: its writer is never run by a connection's read loop.
            destination.Write(result.Value.AsSpan(0, result.Length));
            return true;
        }
        finally
        {
            if (result.Value is { Length: > 0 } pooled)
            {
                ValueArrays.Return(pooled);
            }
        }
    }

    /// <summary>Stores a value; one that is expired already or too large leaves nothing under the key.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask SetAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        CallMode mode,
        CancellationToken cancellationToken,
        Func<ReadOnlySequence<byte>>? again = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        Expiration expiration = Expiration.From(options, settings.DefaultTimeToLive, timeProvider.GetUtcNow(), ioTime);
        if (expiration.IsPast)
        {
            _failures.Report(await DeleteAsync(key, mode, cancellationToken).ConfigureAwait(false), "Set", cancellationToken);
            return;
        }

        OperationResult result = await SendStore(key, value, expiration, mode, cancellationToken).ConfigureAwait(false);
        if (IsWorthAnother(result))
        {
            result = await _retries.AgainAsync(
                result,
                static call => call.Store.SendStore(call.Key, call.Again?.Invoke() ?? call.Value, call.Expiration, call.Mode, call.Token),
                (Store: this, Key: key, Value: value, Again: again, Expiration: expiration, Mode: mode, Token: cancellationToken),
                mode,
                cancellationToken).ConfigureAwait(false);
        }

        NoteCancelled(key, result, mode);
        switch (result.Status)
        {
            case ResultStatus.TooLarge:
                await RefuseAsync(key, value.Length, result.Length, mode, cancellationToken).ConfigureAwait(false);
                break;
            case ResultStatus.Failed when result.Failure!.Reason == MemcachedFailureReason.ServerOutOfMemory:
                // Whatever the server does with the older value when it has no room for the new one: it must not stay.
                await DeleteAsync(key, mode, cancellationToken).ConfigureAwait(false);
                _failures.Report(result, "Set", cancellationToken);
                break;
            default:
                _failures.Report(result, "Set", cancellationToken);
                break;
        }
    }

    /// <summary>
    /// Stores a value where the server has none under the key; false where it has, or where the value was not stored.
    /// Not tried again: its own first attempt might be what is there.
    /// </summary>
    public async ValueTask<bool> AddAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        CallMode mode,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        Expiration expiration = Expiration.From(options, settings.DefaultTimeToLive, timeProvider.GetUtcNow(), ioTime);
        if (expiration.IsPast)
        {
            ThrowIfUnusable(cancellationToken);
            return false;
        }

        OperationResult result = await SendStore(key, value, expiration, mode, cancellationToken, onlyIfAbsent: true).ConfigureAwait(false);
        NoteCancelled(key, result, mode);
        if (result.Status == ResultStatus.TooLarge)
        {
            if (settings.OversizeBehavior == MemcachedOversizeBehavior.Throw)
            {
                throw new MemcachedValueTooLargeException(key, value.Length, result.Length);
            }

            DistributedLog.ValueNotAdded(logger, value.Length, result.Length);
        }

        _failures.Report(result, "Add", cancellationToken);
        return result.Status == ResultStatus.Success;
    }

    /// <summary>Moves the window of a sliding entry; downloads no value.</summary>
    public async ValueTask RefreshAsync(string key, CallMode mode, CancellationToken cancellationToken)
    {
        ThrowIfUnusable(cancellationToken);
        long started = ioTime.GetTimestamp();
        OperationResult result = await _windows.RefreshAsync(_keys, key, mode, cancellationToken).ConfigureAwait(false);
        if (IsWorthAnother(result))
        {
            result = await _retries.AgainAsync(
                result,
                static call => new ValueTask<OperationResult>(call.Store._windows.RefreshAsync(call.Store._keys, call.Key, call.Mode, call.Token)),
                (Store: this, Key: key, Mode: mode, Token: cancellationToken),
                mode,
                cancellationToken,
                SlidingWindows.RequestsPerRefresh,
                ioTime.GetElapsedTime(started)).ConfigureAwait(false);
        }

        _failures.Report(result, "Refresh", cancellationToken);
    }

    /// <summary>Removes an entry.</summary>
    public async ValueTask RemoveAsync(string key, CallMode mode, CancellationToken cancellationToken)
        => _failures.Report(await DeleteAsync(key, mode, cancellationToken).ConfigureAwait(false), "Remove", cancellationToken);

    /// <summary>
    /// A change that was not made for sure, by whoever was asked to make it: what is stored under the key is not to be
    /// read.
    /// </summary>
    /// <param name="key">Its key.</param>
    /// <param name="mayOvertakeRemoval">Whether it may come after what is asked next.</param>
    public void RecordUncertain(string key, bool mayOvertakeRemoval)
        => backend.RecordUncertain(_keys.Encode(key, stackalloc byte[MetaRequests.MaximumKeyLength]), mayOvertakeRemoval);

    [MemberNotNullWhen(true, nameof(_retries))]
    private bool IsWorthAnother(in OperationResult result) => _retries is not null && RetryPolicy.IsTransient(result);

    private void NoteNotReadable(in OperationResult result)
    {
        if (_unreadable.TryPass(out long suppressed))
        {
            LayoutLog.EntryNotReadable(logger, result.Flags, result.Length, suppressed);
        }
    }

    private async ValueTask<OperationResult> GetAgainAsync(
        OperationResult first,
        string key,
        ValueTarget target,
        CallMode mode,
        CancellationToken cancellationToken,
        bool withCas = false)
        => _retries is null || !RetryPolicy.IsTransient(first)
            ? first
            : await _retries.AgainAsync(
                first,
                static call => call.Store.SendGet(call.Key, call.Target, call.Mode, call.Token, call.WithCas),
                (Store: this, Key: key, Target: target, Mode: mode, Token: cancellationToken, WithCas: withCas),
                mode,
                cancellationToken).ConfigureAwait(false);

    private async ValueTask<OperationResult> DeleteAsync(string key, CallMode mode, CancellationToken cancellationToken)
    {
        OperationResult result = await SendDelete(key, mode, cancellationToken).ConfigureAwait(false);
        if (IsWorthAnother(result))
        {
            result = await _retries.AgainAsync(
                result,
                static call => call.Store.SendDelete(call.Key, call.Mode, call.Token),
                (Store: this, Key: key, Mode: mode, Token: cancellationToken),
                mode,
                cancellationToken).ConfigureAwait(false);
        }

        NoteCancelled(key, result, mode);
        return result;
    }

    /// <summary>
    /// A write that was cancelled does not leave the key uncertain: it goes its way, and whatever is asked next comes
    /// after it on the same connection, a read of a large value too; unless it is asked synchronously, on another
    /// connection.
    /// </summary>
    private void NoteCancelled(string key, in OperationResult result, CallMode mode)
    {
        if (result.Status == ResultStatus.Canceled)
        {
            _abandoned.Add(key);
        }
        else if (mode == CallMode.Sync && result.Status != ResultStatus.Failed && _abandoned.MayHold(key))
        {
            // The removal that settles the key goes where the cancelled write went, and so comes after it.
            RecordUncertain(key, mayOvertakeRemoval: false);
        }
    }

    private ValueTask<OperationResult> SendGet(
        string key,
        ValueTarget target,
        CallMode mode,
        CancellationToken cancellationToken,
        bool withCas = false)
    {
        WireKey wireKey = _keys.Encode(key, stackalloc byte[MetaRequests.MaximumKeyLength]);
        ThrowIfUnusable(cancellationToken);
        ReadRequirements needs = (withCas ? ReadRequirements.CasToken : ReadRequirements.None)
            | (settings.IgnoresBeforeOutage ? ReadRequirements.SinceOutage : ReadRequirements.None)
            | (_abandoned.MayHold(key) ? ReadRequirements.InOrder : ReadRequirements.None);
        return backend.GetAsync(wireKey, needs, target, mode, cancellationToken);
    }

    /// <summary>
    /// Removes an entry that is of no use, if it is still that. Not waited for; where it does not arrive, the next
    /// reader does the same.
    /// </summary>
    private void Discard(string key, CasToken casToken)
    {
        if (casToken.IsKnown)
        {
            _ = backend.DeleteAsync(_keys.Encode(key, stackalloc byte[MetaRequests.MaximumKeyLength]), casToken, CancellationToken.None).AsTask();
        }
    }

    private ValueTask<OperationResult> SendDelete(string key, CallMode mode, CancellationToken cancellationToken)
    {
        WireKey wireKey = _keys.Encode(key, stackalloc byte[MetaRequests.MaximumKeyLength]);
        ThrowIfUnusable(cancellationToken);
        return backend.DeleteAsync(wireKey, mode, cancellationToken);
    }

    private ValueTask<OperationResult> SendStore(
        string key,
        in ReadOnlySequence<byte> value,
        in Expiration expiration,
        CallMode mode,
        CancellationToken cancellationToken,
        bool onlyIfAbsent = false)
    {
        WireKey wireKey = _keys.Encode(key, stackalloc byte[MetaRequests.MaximumKeyLength]);
        ThrowIfUnusable(cancellationToken);
        Span<byte> room = stackalloc byte[ValuePrefix.Length];
        ReadOnlySpan<byte> prefix = expiration.HasDeadline ? EntryFormat.WritePrefix(room, expiration.Deadline) : default;
        var item = new Item(prefix, value, expiration.Flags, expiration.TimeToLive, settings.MaximumValueBytes) { OnlyIfAbsent = onlyIfAbsent };
        return backend.StoreAsync(wireKey, item, mode, cancellationToken);
    }

    /// <summary>A read gave a value that may be handed out; a sliding one's window is moved behind it.</summary>
    private bool IsLive(string key, in OperationResult result, CancellationToken cancellationToken)
    {
        if (result.Status != ResultStatus.Success)
        {
            _failures.Report(result, "Get", cancellationToken);
            return false;
        }

        if (result.Flags == 0)
        {
            return true;
        }

        if (!EntryFormat.TryRead(result.Flags, out EntryFormat format) || result.Length < 0)
        {
            NoteNotReadable(result);
            return false;
        }

        if (!format.HasDeadline && format.SlidingSeconds == 0)
        {
            return true;
        }

        if (format.HasDeadline && !StoredTime.IsDeadline(result.Prefix))
        {
            NoteNotReadable(result);
            return false;
        }

        long left = format.HasDeadline ? result.Prefix - timeProvider.GetUtcNow().ToUnixTimeMilliseconds() : long.MaxValue;
        if (left <= 0)
        {
            return false;
        }

        _windows.MoveBehind(_keys, key, format, result, left);
        return true;
    }

    private async Task RefuseAsync(string key, long size, int limit, CallMode mode, CancellationToken cancellationToken)
    {
        OperationResult removed = await DeleteAsync(key, mode, cancellationToken).ConfigureAwait(false);
        if (settings.OversizeBehavior == MemcachedOversizeBehavior.Throw)
        {
            throw new MemcachedValueTooLargeException(key, size, limit);
        }

        DistributedLog.ValueTooLarge(logger, size, limit);
        _failures.Report(removed, "Set", cancellationToken);
    }

    private void ThrowIfUnusable(CancellationToken cancellationToken)
    {
#pragma warning disable CA1513 // The caller knows the cache, not the client below it.
        if (backend.IsDisposed)
        {
            throw new ObjectDisposedException("MemcachedCache");
        }
#pragma warning restore CA1513

        cancellationToken.ThrowIfCancellationRequested();
    }
}
