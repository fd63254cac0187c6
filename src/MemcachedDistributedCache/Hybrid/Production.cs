using System.Diagnostics.CodeAnalysis;
using MemcachedDistributedCache.Caching;
using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The way of one flight: the process's own copy if the cluster says that it is still right, else the cluster's entry, else the factory, by whoever
/// holds the lease. One who does not hold it asks again until the value is there, or the lease is free, or it has waited long enough.
/// </summary>
internal sealed class Production<TState, T>(
    HybridEngine engine,
    FlightKey flightKey,
    CallOptions options,
    IReadOnlyList<string> tags,
    long version,
    ValueCodec<T> codec,
    ValueFactory<TState, T> factory,
    bool holdsLease) : IFlightWork<T>
{
    /// <summary>How often an entry may change between two looks.</summary>
    private const int MaximumChanges = 10;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    private Call _call = null!;
    private Flight<T> _flight = null!;
    private CachedEntry? _local;
    private long _waitingSince;
    private TimeSpan _pause = FirstPause;

    private HybridSettings Settings => engine.Settings;

    private Making<TState, T> NewMaking() => new(engine, _call, codec, factory, _flight);

    /// <inheritdoc/>
    public void Ended(Flight<T> flight) => engine.Leave(flightKey, flight);

    /// <inheritdoc/>
    public async Task<Outcome<T>> RunAsync(Flight<T> flight)
    {
        byte[] wireKey = engine.Keys.Encode(flightKey.Key, HybridSpace.Entry);
        _call = new Call(flightKey.Key, wireKey, options, engine.Tags.Resolve(tags, wireKey), version);
        _flight = flight;

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
            return await MakeAloneAsync(null, Keeping.Local).ConfigureAwait(false);
        }

        for (int discards = 0, changes = 0; ;)
        {
            if (flight.IsAbandoned)
            {
                throw new OperationCanceledException(flight.Token);
            }

            RemoteRead read = mayLease
                ? await engine.Remote.LeaseAsync(_call.WireKey, _call.Options.MayReadRemote).ConfigureAwait(false)
                : await engine.Remote.GetAsync(_call.WireKey).ConfigureAwait(false);
            await tagsKnown.ConfigureAwait(false);
            switch (read.State)
            {
                case RemoteState.Won:
                    engine.Counters.Add(HybridEvent.RemoteMiss);
                    return await NewMaking().RunAsync(read.Lease, null, null, Keeping.Both).ConfigureAwait(false);

                case RemoteState.Entry:
                    Verdict verdict = await JudgeAsync(read, mayLease).ConfigureAwait(false);
                    if (verdict.Outcome is not null)
                    {
                        return verdict.Outcome;
                    }

                    if (verdict.MustWait && await WaitAsync(verdict.Fallback).ConfigureAwait(false) is { } last)
                    {
                        return last;
                    }

                    if (verdict.MustWait || (verdict.MustReadAgain && ++changes <= MaximumChanges))
                    {
                        continue;
                    }

                    if (verdict.MustReadAgain)
                    {
                        return await MakeAloneAsync(null, Keeping.None).ConfigureAwait(false);
                    }

                    break;

                case RemoteState.Taken when !_call.Options.MayReadRemote:
                    // The caller wants a new value whatever the other makes; it replaces the placeholder, if that is still there.
                    return await NewMaking().RunAsync(null, read.Ticket, null, Keeping.Both).ConfigureAwait(false);

                case RemoteState.Taken:
                    if (await WaitAsync(null).ConfigureAwait(false) is { } given)
                    {
                        return given;
                    }

                    continue;

                case RemoteState.Unread when read.MayBeReplaced:
                    return await NewMaking().RunAsync(null, read.Ticket, null, Keeping.Both).ConfigureAwait(false);

                case RemoteState.Absent:
                    engine.Counters.Add(HybridEvent.RemoteMiss);
                    return await MakeAloneAsync(null, Keeping.Local).ConfigureAwait(false);

                case RemoteState.Unavailable:
                    return ServeUnseen() ?? await MakeAloneAsync(FallbackOf(_local), _call.Options.MayWriteRemote ? Keeping.LocalUntilSeen : Keeping.Local).ConfigureAwait(false);
            }

            // What is there is of no use. Whoever removes it first makes place for the lease, and what is asked next comes after that.
            engine.Counters.Add(HybridEvent.RemoteMiss);
            if (!mayLease || ++discards > RemoteCache.MaximumDiscards)
            {
                return await MakeAloneAsync(null, mayLease ? Keeping.None : Keeping.Local).ConfigureAwait(false);
            }

            _ = engine.Remote.Discard(_call.WireKey, read.Ticket);
        }
    }

    /// <summary>The process's own copy, if it may still be served; null if the cluster has to be asked for the value.</summary>
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

        if (engine.Time.GetTimestamp() >= local.LocalUntil)
        {
            return null;
        }

        if (!local.IsDetached && _call.Options.MayReadRemote)
        {
            if (local.IsStale)
            {
                return null;
            }

            long sentAt = engine.Time.GetTimestamp();
            RemoteState now = local.Ticket.IsKnown ? await engine.Remote.LookAsync(_call.WireKey, local.Ticket).ConfigureAwait(false) : RemoteState.Changed;
            if (now is not (RemoteState.Entry or RemoteState.Unavailable))
            {
                // Unless it was never in the cluster: then the read that follows tells whether the cluster can be asked again. What the cluster has called changed
                // is not served any more, also if it cannot be asked for the new value; of another connection's number it cannot be told.
                if (local.Ticket.IsKnown)
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

    /// <summary>The process's own copy, where the cluster cannot say otherwise.</summary>
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
    private async ValueTask<Verdict> JudgeAsync(RemoteRead read, bool mayLease)
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
            return new Verdict { Outcome = ServeUnseen() ?? await MakeAloneAsync(null, Keeping.LocalUntilSeen).ConfigureAwait(false) };
        }

        long age = engine.Time.GetUtcNow().ToUnixTimeMilliseconds() - entry.ExpiresAt;
        if (entry.Kind == PayloadKind.Elsewhere)
        {
            return age < 0 ? new Verdict { Outcome = await MakeMarkedAsync(read.Ticket, mayLease).ConfigureAwait(false) } : default;
        }

        if (!engine.TryRead<T>(_call.Key, entry, out T? value))
        {
            return default;
        }

        if (age < 0)
        {
            engine.Counters.Add(HybridEvent.RemoteHit);
            engine.Writer.KeepRead(_call, read, value, codec);
            return new Verdict { Outcome = new Outcome<T>(value, CacheSource.Remote, entry) };
        }

        if (age < Settings.StaleWindow.TotalMilliseconds)
        {
            if (mayLease && engine.Refreshes.HasGivenUp(flightKey, entry.CreatedAt) && await MakeInPlaceAsync(new Fallback<T>(entry, value)).ConfigureAwait(false) is { } made)
            {
                return new Verdict { Outcome = made };
            }

            engine.Writer.Keep(_call, EntryWriter.CopyOf(_call, entry, value, isStale: true, codec), read.SentAt, Settings.StaleWindow);
            Task<Outcome<T>?>? refresh = null;
            if (mayLease)
            {
                engine.Refreshes.TryBegin(flightKey, NewMaking().Detach(entry, value).RefreshAsync, out refresh);
            }

            return new Verdict { Outcome = new Outcome<T>(value, CacheSource.Stale, entry) { Refresh = refresh } };
        }

        Fallback<T>? fallback = age < Settings.MaxStale.TotalMilliseconds ? new Fallback<T>(entry, value) : null;
        if (!mayLease)
        {
            return new Verdict { Outcome = await MakeAloneAsync(fallback, Keeping.Local).ConfigureAwait(false) };
        }

        if (fallback is null && Settings.Retention == TimeSpan.Zero)
        {
            // The server may drop it any moment, and whoever asked then would be told to make the value beside one who makes it to store over this.
            return default;
        }

        (RemoteState state, Lease? lease) = await engine.Remote.LeaseRefreshAsync(engine.Keys.Encode(_call.Key, HybridSpace.Lease), _call.WireKey, entry.Ticket).ConfigureAwait(false);
        if (state == RemoteState.Won && fallback is null)
        {
            // Nobody refreshes it any more: it goes the way of all that is of no use.
            await lease!.ReleaseAsync().ConfigureAwait(false);
            return default;
        }

        return state switch
        {
            RemoteState.Won => new Verdict { Outcome = await NewMaking().RunAsync(lease, entry.Ticket, fallback, Keeping.Both).ConfigureAwait(false) },
            RemoteState.Taken => new Verdict { MustWait = true, Fallback = fallback },
            RemoteState.Changed => new Verdict { MustReadAgain = true },
            _ => new Verdict { Outcome = await MakeAloneAsync(fallback, Keeping.LocalUntilSeen).ConfigureAwait(false) },
        };
    }

    /// <summary>
    /// Makes the value of an entry that no refresh in the background could renew, in the context of a caller, who waits; null where another does it, or has just
    /// failed to. While the entry is within its window it stands in should the factory fail here too.
    /// </summary>
    private async ValueTask<Outcome<T>?> MakeInPlaceAsync(Fallback<T> fallback)
    {
        if (!engine.Refreshes.TryEnter(flightKey))
        {
            return null;
        }

        Outcome<T>? outcome = null;
        try
        {
            (RemoteState state, Lease? lease) = await engine.Remote.LeaseRefreshAsync(engine.Keys.Encode(_call.Key, HybridSpace.Lease), _call.WireKey, fallback.Entry.Ticket).ConfigureAwait(false);
            outcome = state == RemoteState.Won ? await NewMaking().RunAsync(lease, fallback.Entry.Ticket, fallback, Keeping.Both).ConfigureAwait(false) : null;
        }
        finally
        {
            engine.Refreshes.Leave(flightKey, hasMade: outcome?.Source == CacheSource.Factory);
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
            return await NewMaking().RunAsync(null, null, fallback, Keeping.None).ConfigureAwait(false);
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
            return await NewMaking().ServeAsync(fallback).ConfigureAwait(false);
        }

        if (waited >= Settings.MaximumLeaseWait)
        {
            return await NewMaking().RunAsync(null, null, fallback, Keeping.None).ConfigureAwait(false);
        }

#pragma warning disable CA5394 // Spreads those who wait.
        await Task.Delay(_pause * (0.75 + (Random.Shared.NextDouble() / 2)), engine.IoTime, _flight.Token).ConfigureAwait(false);
#pragma warning restore CA5394
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        return null;
    }

    /// <summary>The value is too large for the cluster: each process makes its own, beside all others.</summary>
    private async ValueTask<Outcome<T>> MakeMarkedAsync(ItemTicket mark, bool mayLease)
    {
        engine.Counters.Add(HybridEvent.RemoteMiss);
        return mayLease
            ? await NewMaking().RunAsync(null, mark, null, Keeping.Marked).ConfigureAwait(false)
            : await MakeAloneAsync(null, Keeping.Local).ConfigureAwait(false);
    }

    private async ValueTask<Outcome<T>> MakeAloneAsync(Fallback<T>? fallback, Keeping keeping)
        => _call.Options.MayCreate
            ? await NewMaking().RunAsync(null, null, fallback, keeping).ConfigureAwait(false)
            : new Outcome<T>(default!, CacheSource.None, null);

    /// <summary>The process's own copy as the last value, where the cluster cannot say whether there is a later one.</summary>
    private Fallback<T>? FallbackOf(CachedEntry? local)
    {
        if (local is null || engine.Tags.Check(local.Tags, engine.Time.GetTimestamp()) is TagCheck.Invalid or TagCheck.Unverifiable)
        {
            return null;
        }

        long age = engine.Time.GetUtcNow().ToUnixTimeMilliseconds() - local.ExpiresAt;
        return age < Settings.MaxStale.TotalMilliseconds && engine.TryRead<T>(_call.Key, local, out T? value) ? new Fallback<T>(local, value) : null;
    }

    private readonly struct Verdict
    {
        public Outcome<T>? Outcome { get; init; }

        public bool MustWait { get; init; }

        public bool MustReadAgain { get; init; }

        public Fallback<T>? Fallback { get; init; }
    }
}
