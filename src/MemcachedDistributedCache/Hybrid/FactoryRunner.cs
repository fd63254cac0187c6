using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Where a new value is kept.</summary>
internal enum StoreTarget : byte
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>In the cluster, and in the local cache if the cluster has taken it.</summary>
    Both,

    /// <summary>In the local cache: the caller wants it nowhere else.</summary>
    Local,

    /// <summary>In the local cache, because the cluster cannot be asked; it is held against the cluster as soon as it can.</summary>
    LocalUntilSeen,

    /// <summary>In the cluster if it is not too large; else in the local cache, under the mark that is in the cluster already.</summary>
    Marked,
}

/// <summary>A value past its expiration that is served in place of the factory's.</summary>
internal sealed record Fallback<T>(CachedEntry Entry, T Value);

/// <summary>
/// Runs a factory and keeps what it gives, on the condition that the key is still in the state from before: a removal or a set that came
/// meanwhile wins, and the value is given to its callers and kept nowhere.
/// </summary>
internal sealed class FactoryRunner<TState, T>(HybridEngine engine, Call call, ValueCodec<T> codec, ValueFactory<TState, T> factory, SingleFlight<T>? singleFlight, Fallback<T>? refreshed = null)
{
    /// <summary>Cancelled when nobody wants the value.</summary>
    public CancellationToken Token => singleFlight?.Token ?? engine.Disposed;

    /// <summary>The same for a refresh of an entry, on which nobody waits.</summary>
    public FactoryRunner<TState, T> Detach(CachedEntry entry, T value) => new(engine, call, codec, factory, singleFlight: null, new Fallback<T>(entry, value));

    /// <summary>Refreshes an entry, if nobody else does; null if another process does, or the factory failed.</summary>
    public async Task<Outcome<T>?> RefreshAsync(CancellationToken cancellationToken)
    {
        CachedEntry entry = refreshed!.Entry;
        (RemoteState found, Lease? lease) = await engine.Remote.LeaseRefreshAsync(engine.Keys.Encode(call.Key, Layout.HybridSpace.Lease), call.WireKey, entry.CasToken).ConfigureAwait(false);
        if (found != RemoteState.Won || cancellationToken.IsCancellationRequested)
        {
            await FactoryRunner.ReleaseAsync(lease).ConfigureAwait(false);
            return null;
        }

        engine.Counters.Add(HybridEvent.RefreshStarted);
        Outcome<T> outcome = await RunAsync(lease, entry.CasToken, refreshed, StoreTarget.Both).ConfigureAwait(false);
        if (outcome.Source != CacheSource.Stale)
        {
            return outcome;
        }

        engine.Refreshes.NoteFailed(call.SingleFlightKeyOf<T>(), entry.CreatedAt);
        return null;
    }

    /// <summary>
    /// The last value, served to those who come next for a moment before the factory is tried again; unless it has been removed or replaced while the factory
    /// ran: then only those have it who came before.
    /// </summary>
    public async ValueTask<Outcome<T>> ServeAsync(Fallback<T> fallback)
    {
        long lookedAt = engine.Time.GetTimestamp();
        CasToken casToken = fallback.Entry.CasToken;
        if (!casToken.IsKnown || await engine.Remote.LookAsync(call.WireKey, casToken).ConfigureAwait(false) is RemoteState.Entry or RemoteState.Unavailable)
        {
            engine.Writer.Keep(call, EntryWriter.CopyOf(call, fallback.Entry, fallback.Value, isStale: true, codec), lookedAt, engine.Settings.MaxStale);
        }

        return new Outcome<T>(fallback.Value, CacheSource.Stale, fallback.Entry);
    }

    /// <summary>Makes the value.</summary>
    /// <param name="lease">The right to make it, or null where there is none to be had.</param>
    /// <param name="over">The state that the new value may replace; null for the lease's own.</param>
    /// <param name="fallback">What is served if the factory fails.</param>
    /// <param name="storeTarget">Where the value is kept.</param>
    public async Task<Outcome<T>> RunAsync(Lease? lease, CasToken? over, Fallback<T>? fallback, StoreTarget storeTarget)
    {
        T value;
        TagStamp[] stamps;
        Call chosen = call;
        try
        {
            Token.ThrowIfCancellationRequested();
            lease?.Begin();

            // Before the factory: whatever is invalidated from here on invalidates its value.
            stamps = TagTracker.Capture(call.Tags, () => TagVersion.Create(engine.Time));
            HybridCacheEntryContext? context = factory.NewContext(call.Options);
            int revision = context?.Revision ?? 0;
            value = await InvokeAsync(context, fallback).ConfigureAwait(false);
            if (context is not null && context.Revision != revision)
            {
                // Checked here, where a factory that has chosen what cannot be is a factory that failed.
                chosen = call with { Options = call.Options.ChosenBy(context) };
            }
        }
        catch (Exception exception)
        {
            await FactoryRunner.ReleaseAsync(lease).ConfigureAwait(false);
            if (exception is OperationCanceledException && Token.IsCancellationRequested)
            {
                throw;
            }

            engine.Factories.NoteFailed(exception, Token);
            if (fallback is null)
            {
                throw;
            }

            HybridLog.HybridFactoryFailed(engine.Logger, exception);
            return await ServeAsync(fallback).ConfigureAwait(false);
        }

        return await FactoryRunner.KeepAsync(engine, chosen, codec, value, stamps, lease, over, storeTarget).ConfigureAwait(false);
    }

    private async ValueTask<T> InvokeAsync(HybridCacheEntryContext? context, Fallback<T>? fallback)
    {
        if (singleFlight?.IsOnCallersThread == true)
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }

        using var scope = FactoryScope.Enter(engine, singleFlight switch { null => FactoryKind.Refresh, { IsOfBatch: true } => FactoryKind.Batch, _ => FactoryKind.SingleFlight }, call.SingleFlightKeyOf<T>(), singleFlight);
        TimeSpan limit = engine.Settings.FactorySoftTimeout;
        if (fallback is null || singleFlight is null || limit == Timeout.InfiniteTimeSpan)
        {
            return await engine.Factories.RunAsync(factory, context, Token).ConfigureAwait(false);
        }

        Task<T> made = engine.Factories.RunAsync(factory, context, Token).AsTask();
        using (var ended = new CancellationTokenSource())
        {
            if (await Task.WhenAny(made, Task.Delay(limit, engine.IoTime, ended.Token)).ConfigureAwait(false) != made)
            {
                singleFlight.CompleteEarly(await ServeAsync(fallback).ConfigureAwait(false));
            }

            await ended.CancelAsync().ConfigureAwait(false);
        }

        return await made.ConfigureAwait(false);
    }
}

/// <summary>What becomes of a value once its factory has given it.</summary>
internal static class FactoryRunner
{
    /// <summary>Keeps a value that has been made, and lets go of the lease.</summary>
    public static async ValueTask<Outcome<T>> KeepAsync<T>(HybridEngine engine, Call call, ValueCodec<T> codec, T value, TagStamp[] stamps, Lease? lease, CasToken? over, StoreTarget storeTarget)
    {
        if (engine.Disposed.IsCancellationRequested)
        {
            await ReleaseAsync(lease).ConfigureAwait(false);
            return new Outcome<T>(value, CacheSource.Factory, null);
        }

        using PreparedEntry<T>? entry = engine.Writer.Prepare(call, value, codec, stamps);
        if (entry is null)
        {
            await GiveUpAsync(engine, call, lease, over).ConfigureAwait(false);
            return new Outcome<T>(value, CacheSource.Factory, null);
        }

        if (storeTarget is StoreTarget.Both or StoreTarget.Marked or StoreTarget.LocalUntilSeen && !call.Options.MayWriteRemote)
        {
            // The factory wants it in this process only. A removal or a set that came meanwhile wins here too.
            storeTarget = await IsUntouchedAsync(engine, call, lease, over).ConfigureAwait(false) ? StoreTarget.Local : StoreTarget.None;
        }

        if (storeTarget is not (StoreTarget.Both or StoreTarget.Marked))
        {
            CachedEntry own = EntryWriter.CopyOf(call, entry, default, isDetached: storeTarget == StoreTarget.Local, codec);
            if (storeTarget != StoreTarget.None)
            {
                engine.Writer.Keep(call, own, engine.Time.GetTimestamp());
            }

            return new Outcome<T>(value, CacheSource.Factory, own);
        }

        CasToken? held = lease is null ? null : await lease.EndAsync().ConfigureAwait(false);
        bool isInLeasesPlace = false;
        CachedEntry copy;
        if ((over ?? held) is { } casToken && !Array.Exists(stamps, static stamp => stamp.State.IsProvisional))
        {
            long sentAt = engine.Time.GetTimestamp();
            OperationResult stored = await engine.Writer.StoreAsync(call, entry, casToken).ConfigureAwait(false);
            if (stored.Status == ResultStatus.TooLarge)
            {
                if (!engine.Writer.MayStayHere(call, entry, codec))
                {
                    await GiveUpAsync(engine, call, lease, over).ConfigureAwait(false);
                    return new Outcome<T>(value, CacheSource.Factory, EntryWriter.CopyOf(call, entry, default, isDetached: false, codec));
                }

                stored = storeTarget == StoreTarget.Marked
                    ? await engine.Writer.FindMarkAsync(call, casToken).ConfigureAwait(false)
                    : await engine.Writer.MarkAsync(call, entry, casToken).ConfigureAwait(false);
            }

            copy = EntryWriter.CopyOf(call, entry, stored.CasToken, isDetached: false, codec);
            if (stored.Status == ResultStatus.Success)
            {
                engine.Writer.Keep(call, copy, sentAt);
                isInLeasesPlace = over is null;
            }
            else if (stored.Status == ResultStatus.Conflict)
            {
                // The place is given back all the same: it may have been refused without the server being asked, and nobody should wait for it.
                engine.Counters.Add(HybridEvent.LeaseLost);
            }
        }
        else
        {
            engine.Counters.Add(HybridEvent.LeaseLost);
            copy = EntryWriter.CopyOf(call, entry, default, isDetached: false, codec);
        }

        if (isInLeasesPlace)
        {
            lease?.Forget();
        }
        else
        {
            await ReleaseAsync(lease).ConfigureAwait(false);
        }

        return new Outcome<T>(value, CacheSource.Factory, copy);
    }

    /// <summary>Gives the lease back for a value that is kept nowhere. What the value would have replaced is older, and must not stay.</summary>
    private static async ValueTask GiveUpAsync(HybridEngine engine, Call call, Lease? lease, CasToken? over)
    {
        if (over is { } older)
        {
            await engine.Remote.Discard(call.WireKey, older).ConfigureAwait(false);
        }

        await ReleaseAsync(lease).ConfigureAwait(false);
    }

    /// <summary>Gives the lease back, and tells whether the key is as it was when the factory began; true where there is no lease and nothing to compare.</summary>
    private static async ValueTask<bool> IsUntouchedAsync(HybridEngine engine, Call call, Lease? lease, CasToken? over)
    {
        bool isHeld = await ReleaseAsync(lease).ConfigureAwait(false);
        return over is { } casToken ? await engine.Remote.LookAsync(call.WireKey, casToken).ConfigureAwait(false) == RemoteState.Entry : isHeld;
    }

    /// <summary>Gives a lease back, if there is one; false if it was lost before.</summary>
    public static async Task<bool> ReleaseAsync(Lease? lease) => lease is null || await lease.ReleaseAsync().ConfigureAwait(false);
}
