using System.Diagnostics.CodeAnalysis;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The way of a single flight: the local copy if the cluster says that it is still right, else the cluster's entry, else the factory, by whoever
/// holds the lease. One who does not hold it asks again until the value is there, or the lease is free, or it has waited long enough.
/// </summary>
internal sealed class GetOrCreateOperation<TState, T>(
    HybridEngine engine,
    SingleFlightKey singleFlightKey,
    CallOptions options,
    IReadOnlyList<string> tags,
    long version,
    ValueCodec<T> codec,
    ValueFactory<TState, T> factory,
    bool holdsLease) : ISingleFlightWork<T>
{
    /// <summary>How often an entry may change between two looks.</summary>
    private const int MaximumChanges = 10;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    private Call _call = null!;
    private SingleFlight<T> _singleFlight = null!;
    private CachedEntry? _local;
    private long _waitingSince;
    private TimeSpan _pause = FirstPause;

    private HybridSettings Settings => engine.Settings;

    private FactoryRunner<TState, T> NewFactoryRunner() => new(engine, _call, codec, factory, _singleFlight);

    /// <inheritdoc/>
    public void Ended(SingleFlight<T> singleFlight) => engine.Leave(singleFlightKey, singleFlight);

    /// <inheritdoc/>
    public async Task<Outcome<T>> RunAsync(SingleFlight<T> singleFlight)
    {
        byte[] wireKey = engine.Keys.Encode(singleFlightKey.Key, HybridSpace.Entry);
        _call = new Call(singleFlightKey.Key, wireKey, options, engine.Tags.Resolve(tags, wireKey), version);
        _singleFlight = singleFlight;

        // Under way together with the first read.
        Task tagsKnown = engine.Tags.EnsureAsync(_call.Tags);
        _local = _call.Options.MayReadLocal ? engine.Local.Find(_call.Key) : null;
        if (_local is { } local)
        {
            await tagsKnown.ConfigureAwait(false);
            if (await ReviveAsync(local).ConfigureAwait(false) is { } revived)
            {
                return revived;
            }
        }

        engine.Counters.Add(HybridEvent.LocalMiss);

        bool mayLease = _call.Options.MayCreate && _call.Options.MayWriteRemote;
        if (!_call.Options.MayReadRemote && !mayLease)
        {
            await tagsKnown.ConfigureAwait(false);
            return await MakeAloneAsync(DetachedFallback(), StoreTarget.Local).ConfigureAwait(false);
        }

        for (int discards = 0, changes = 0; ;)
        {
            if (singleFlight.IsAbandoned)
            {
                throw new OperationCanceledException(singleFlight.Token);
            }

            RemoteRead read = mayLease
                ? await engine.Remote.LeaseAsync(_call.WireKey, _call.Options.MayReadRemote).ConfigureAwait(false)
                : await engine.Remote.GetAsync(_call.WireKey).ConfigureAwait(false);
            await tagsKnown.ConfigureAwait(false);
            switch (read.State)
            {
                case RemoteState.Won:
                    engine.Counters.Add(HybridEvent.RemoteMiss);
                    return await NewFactoryRunner().RunAsync(read.Lease, null, null, StoreTarget.Both).ConfigureAwait(false);

                case RemoteState.Entry:
                    Judgement judgement = await JudgeAsync(read, mayLease).ConfigureAwait(false);
                    if (judgement.Outcome is not null)
                    {
                        return judgement.Outcome;
                    }

                    if (judgement.MustWait && await WaitAsync(judgement.Fallback).ConfigureAwait(false) is { } last)
                    {
                        return last;
                    }

                    if (judgement.MustWait || (judgement.MustReadAgain && ++changes <= MaximumChanges))
                    {
                        continue;
                    }

                    if (judgement.MustReadAgain)
                    {
                        return await MakeAloneAsync(null, StoreTarget.None).ConfigureAwait(false);
                    }

                    break;

                case RemoteState.Taken when !_call.Options.MayReadRemote:
                    // The caller wants a new value whatever the other makes; it replaces the placeholder, if that is still there.
                    return await NewFactoryRunner().RunAsync(null, read.CasToken, null, StoreTarget.Both).ConfigureAwait(false);

                case RemoteState.Taken:
                    if (await WaitAsync(null).ConfigureAwait(false) is { } given)
                    {
                        return given;
                    }

                    continue;

                case RemoteState.Unread when read.MayBeReplaced:
                    return await NewFactoryRunner().RunAsync(null, read.CasToken, null, StoreTarget.Both).ConfigureAwait(false);

                case RemoteState.Absent:
                    engine.Counters.Add(HybridEvent.RemoteMiss);
                    return await MakeAloneAsync(DetachedFallback(), StoreTarget.Local).ConfigureAwait(false);

                case RemoteState.Unavailable:
                    return ServeUnseen() ?? await MakeAloneAsync(FallbackOf(_local), _call.Options.MayWriteRemote ? StoreTarget.LocalUntilSeen : StoreTarget.Local).ConfigureAwait(false);
            }

            // What is there is of no use. Whoever removes it first makes place for the lease, and what is asked next comes after that.
            engine.Counters.Add(HybridEvent.RemoteMiss);
            if (!mayLease || ++discards > RemoteCache.MaximumDiscards)
            {
                return await MakeAloneAsync(null, mayLease ? StoreTarget.None : StoreTarget.Local).ConfigureAwait(false);
            }

            _ = engine.Remote.Discard(_call.WireKey, read.CasToken);
        }
    }

    /// <summary>The local copy, if it may still be served; null if the cluster has to be asked for the value.</summary>
    private async ValueTask<Outcome<T>?> ReviveAsync(CachedEntry local)
    {
        TagCheck check = await engine.Tags.CheckAsync(local.Tags).ConfigureAwait(false);
        if (check != TagCheck.Valid)
        {
            if (check == TagCheck.Invalid)
            {
                engine.Local.Drop(_call.Key, local);
            }

            return null;
        }

        // A value past its expiration is served for a moment only, while it is fresh; then the factory has its turn again.
        if (local.IsStale || engine.Time.GetTimestamp() >= local.LocalUntil)
        {
            return null;
        }

        if (!local.IsDetached && _call.Options.MayReadRemote)
        {
            long sentAt = engine.Time.GetTimestamp();
            RemoteState now = local.CasToken.IsKnown ? await engine.Remote.LookAsync(_call.WireKey, local.CasToken).ConfigureAwait(false) : RemoteState.Changed;
            if (now is not (RemoteState.Entry or RemoteState.Unavailable))
            {
                // Unless it was never in the cluster: then the read that follows tells whether the cluster can be asked again. What the cluster has called changed
                // is not served any more, also if it cannot be asked for the new value; of another connection's number it cannot be told.
                if (local.CasToken.IsKnown)
                {
                    engine.Local.Drop(_call.Key, local);
                    _local = now == RemoteState.Unread ? local : null;
                }

                return null;
            }

            engine.Writer.Confirm(local, now == RemoteState.Entry ? sentAt : engine.Time.GetTimestamp());
        }

        return Serve(local);
    }

    private Outcome<T>? Serve(CachedEntry local)
    {
        if (!engine.TryRead<T>(_call.Key, local, out T? value))
        {
            return null;
        }

        if (!local.IsStale)
        {
            engine.Counters.Add(HybridEvent.LocalHit);
        }

        return new Outcome<T>(value, local.IsStale ? CacheSource.Stale : CacheSource.Local, local);
    }

    /// <summary>The local copy, where the cluster cannot say otherwise.</summary>
    private Outcome<T>? ServeUnseen()
    {
        long now = engine.Time.GetTimestamp();
        if (_local is not { } local || now >= local.LocalUntil || engine.Tags.Check(local.Tags, now) is TagCheck.Invalid or TagCheck.Unverifiable)
        {
            return null;
        }

        engine.Writer.Confirm(local, now);
        return Serve(local);
    }

    /// <summary>What is to be done with an entry that the cluster has.</summary>
    private async ValueTask<Judgement> JudgeAsync(RemoteRead read, bool mayLease)
    {
        CachedEntry entry = read.Entry!;
        TagCheck check = await engine.Tags.CheckReadAsync(entry.Tags).ConfigureAwait(false);
        if (check == TagCheck.Invalid)
        {
            return default;
        }

        if (check == TagCheck.Unverifiable)
        {
            // It may be right for all others: it is neither used nor touched.
            return new Judgement { Outcome = ServeUnseen() ?? await MakeAloneAsync(null, StoreTarget.LocalUntilSeen).ConfigureAwait(false) };
        }

        long age = engine.Time.GetUtcNow().ToUnixTimeMilliseconds() - entry.ExpiresAt;
        if (entry.Kind == PayloadKind.Elsewhere)
        {
            return age < 0 ? new Judgement { Outcome = await MakeMarkedAsync(read.CasToken, mayLease).ConfigureAwait(false) } : default;
        }

        if (!engine.TryRead<T>(_call.Key, entry, out T? value))
        {
            return default;
        }

        if (age < 0)
        {
            engine.Counters.Add(HybridEvent.RemoteHit);
            engine.Writer.KeepRead(_call, read, value, codec);
            return new Judgement { Outcome = new Outcome<T>(value, CacheSource.Remote, entry) };
        }

        if (age < Settings.StaleWindow.TotalMilliseconds)
        {
            if (mayLease && engine.Refreshes.HasGivenUp(singleFlightKey, entry.CreatedAt) && await MakeInPlaceAsync(new Fallback<T>(entry, value)).ConfigureAwait(false) is { } made)
            {
                return new Judgement { Outcome = made };
            }

            engine.Writer.Keep(_call, EntryWriter.CopyOf(_call, entry, value, isStale: true, codec), read.SentAt, Settings.StaleWindow);
            Task<Outcome<T>?>? refresh = null;
            if (mayLease)
            {
                engine.Refreshes.TryBegin(singleFlightKey, NewFactoryRunner().Detach(entry, value).RefreshAsync, out refresh);
            }

            return new Judgement { Outcome = new Outcome<T>(value, CacheSource.Stale, entry) { Refresh = refresh } };
        }

        Fallback<T>? fallback = age < Settings.MaxStale.TotalMilliseconds ? new Fallback<T>(entry, value) : null;
        if (!mayLease)
        {
            return new Judgement { Outcome = await MakeAloneAsync(fallback, StoreTarget.Local).ConfigureAwait(false) };
        }

        if (fallback is null && Settings.Retention == TimeSpan.Zero)
        {
            // The server may drop it any moment, and whoever asked then would be told to make the value beside one who makes it to store over this.
            return default;
        }

        (RemoteState state, Lease? lease) = await engine.Remote.LeaseRefreshAsync(engine.Keys.Encode(_call.Key, HybridSpace.Lease), _call.WireKey, entry.CasToken).ConfigureAwait(false);
        if (state == RemoteState.Won && fallback is null)
        {
            // Nobody refreshes it any more: it goes the way of all that is of no use.
            await lease!.ReleaseAsync().ConfigureAwait(false);
            return default;
        }

        return state switch
        {
            RemoteState.Won => new Judgement { Outcome = await NewFactoryRunner().RunAsync(lease, entry.CasToken, fallback, StoreTarget.Both).ConfigureAwait(false) },
            RemoteState.Taken => new Judgement { MustWait = true, Fallback = fallback },
            RemoteState.Changed => new Judgement { MustReadAgain = true },
            _ => new Judgement { Outcome = await MakeAloneAsync(fallback, StoreTarget.LocalUntilSeen).ConfigureAwait(false) },
        };
    }

    /// <summary>
    /// Makes the value of an entry that no refresh in the background could renew, in the context of a caller, who waits; null where another does it, or has just
    /// failed to. While the entry is within its window it is served should the factory fail here too.
    /// </summary>
    private async ValueTask<Outcome<T>?> MakeInPlaceAsync(Fallback<T> fallback)
    {
        if (!engine.Refreshes.TryEnter(singleFlightKey))
        {
            return null;
        }

        Outcome<T>? outcome = null;
        try
        {
            (RemoteState state, Lease? lease) = await engine.Remote.LeaseRefreshAsync(engine.Keys.Encode(_call.Key, HybridSpace.Lease), _call.WireKey, fallback.Entry.CasToken).ConfigureAwait(false);
            outcome = state == RemoteState.Won ? await NewFactoryRunner().RunAsync(lease, fallback.Entry.CasToken, fallback, StoreTarget.Both).ConfigureAwait(false) : null;
        }
        finally
        {
            engine.Refreshes.Leave(singleFlightKey, hasMade: outcome?.Source == CacheSource.Factory);
        }

        return outcome;
    }

    /// <summary>Pauses before asking again; gives the last value, or one made alone, when the wait has been long enough.</summary>
    private async ValueTask<Outcome<T>?> WaitAsync(Fallback<T>? fallback)
    {
        if (!_call.Options.MayCreate)
        {
            return new Outcome<T>(default!, CacheSource.None, null);
        }

        if (holdsLease)
        {
            // The lease is held by a factory that waits for this call, so that this one would wait for itself.
            return await NewFactoryRunner().RunAsync(null, null, fallback, StoreTarget.None).ConfigureAwait(false);
        }

        long now = engine.IoTime.GetTimestamp();
        if (_waitingSince == 0)
        {
            _waitingSince = now;
            engine.Counters.Add(HybridEvent.LeaseWaited);
        }

        TimeSpan waited = engine.IoTime.GetElapsedTime(_waitingSince, now);
        if (fallback is not null && Settings.FactorySoftTimeout != Timeout.InfiniteTimeSpan && waited >= Settings.FactorySoftTimeout)
        {
            return await NewFactoryRunner().ServeAsync(fallback).ConfigureAwait(false);
        }

        if (waited >= Settings.MaximumLeaseWait)
        {
            return await NewFactoryRunner().RunAsync(null, null, fallback, StoreTarget.None).ConfigureAwait(false);
        }

#pragma warning disable CA5394 // Spreads those who wait.
        await Task.Delay(_pause * (0.75 + (Random.Shared.NextDouble() / 2)), engine.IoTime, _singleFlight.Token).ConfigureAwait(false);
#pragma warning restore CA5394
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        return null;
    }

    /// <summary>The value is too large for the cluster: each process makes its own, beside all others.</summary>
    private async ValueTask<Outcome<T>> MakeMarkedAsync(CasToken mark, bool mayLease)
    {
        engine.Counters.Add(HybridEvent.RemoteMiss);
        return mayLease
            ? await NewFactoryRunner().RunAsync(null, mark, null, StoreTarget.Marked).ConfigureAwait(false)
            : await MakeAloneAsync(null, StoreTarget.Local).ConfigureAwait(false);
    }

    private async ValueTask<Outcome<T>> MakeAloneAsync(Fallback<T>? fallback, StoreTarget storeTarget)
        => _call.Options.MayCreate
            ? await NewFactoryRunner().RunAsync(null, null, fallback, storeTarget).ConfigureAwait(false)
            : new Outcome<T>(default!, CacheSource.None, null);

    /// <summary>The local copy as the last value, where it was kept out of the cluster: then the cluster's miss says nothing about it.</summary>
    private Fallback<T>? DetachedFallback() => _local is { IsDetached: true } local ? FallbackOf(local) : null;

    /// <summary>The local copy as the last value, where the cluster cannot say whether there is a later one.</summary>
    private Fallback<T>? FallbackOf(CachedEntry? local)
    {
        if (local is null || engine.Tags.Check(local.Tags, engine.Time.GetTimestamp()) is TagCheck.Invalid or TagCheck.Unverifiable)
        {
            return null;
        }

        long age = engine.Time.GetUtcNow().ToUnixTimeMilliseconds() - local.ExpiresAt;
        return age < Settings.MaxStale.TotalMilliseconds && engine.TryRead<T>(_call.Key, local, out T? value) ? new Fallback<T>(local, value) : null;
    }

    private readonly struct Judgement
    {
        public Outcome<T>? Outcome { get; init; }

        public bool MustWait { get; init; }

        public bool MustReadAgain { get; init; }

        public Fallback<T>? Fallback { get; init; }
    }
}
