using System.Diagnostics.CodeAnalysis;
using MemcachedDistributedCache.Caching;
using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The way of one flight: the process's own copy if the cluster says that it is still right, else the cluster's entry, else the factory, by whoever
/// holds the lease. One who does not hold it asks again until the value is there, or the lease is free, or it has waited long enough.
/// </summary>
internal sealed class Production<TState, T>(HybridEngine engine, Call call, ValueCodec<T> codec, TState state, Func<TState, CancellationToken, ValueTask<T>> factory)
{
    /// <summary>How often something that cannot be used is removed to make place, before the value is made without keeping it.</summary>
    private const int MaximumDiscards = 3;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    private long _waitingSince;
    private TimeSpan _pause = FirstPause;

    private HybridSettings Settings => engine.Settings;

    /// <summary>Runs it.</summary>
    public async Task<Outcome<T>> RunAsync(Flight<T> flight)
    {
        // Under way together with the first read.
        Task tagsKnown = engine.Tags.EnsureAsync(call.Tags);
        CachedEntry? local = call.Options.MayReadLocal ? engine.Local.Find(call.Key) : null;
        if (local is not null)
        {
            await tagsKnown.ConfigureAwait(false);
            if (await ReviveAsync(local).ConfigureAwait(false) is { } revived)
            {
                return revived;
            }
        }

        engine.Counters.Add(HybridEvent.LocalMiss);

        bool mayLease = call.Options.MayCreate && call.Options.MayWriteRemote;
        var making = new Making<TState, T>(engine, call, codec, state, factory, flight);
        if (!call.Options.MayReadRemote && !mayLease)
        {
            await tagsKnown.ConfigureAwait(false);
            return await MakeAloneAsync(making, null, Keeping.Local).ConfigureAwait(false);
        }

        for (int discards = 0; ;)
        {
            flight.Token.ThrowIfCancellationRequested();
            RemoteRead read = mayLease
                ? await engine.Remote.LeaseAsync(call.WireKey, call.Options.MayReadRemote).ConfigureAwait(false)
                : await engine.Remote.GetAsync(call.WireKey).ConfigureAwait(false);
            await tagsKnown.ConfigureAwait(false);
            switch (read.State)
            {
                case RemoteState.Won:
                    engine.Counters.Add(HybridEvent.RemoteMiss);
                    return await making.RunAsync(engine.Remote.Hold(call.WireKey, read.Ticket), null, null, Keeping.Both).ConfigureAwait(false);

                case RemoteState.Entry:
                    Verdict verdict = await JudgeAsync(read, making, mayLease).ConfigureAwait(false);
                    if (verdict.Outcome is not null)
                    {
                        return verdict.Outcome;
                    }

                    if (verdict.MustWait && await WaitAsync(making, verdict.Fallback).ConfigureAwait(false) is { } last)
                    {
                        return last;
                    }

                    if (verdict.MustWait || verdict.MustReadAgain)
                    {
                        continue;
                    }

                    break;

                case RemoteState.Taken when !call.Options.MayReadRemote:
                    // The caller wants a new value whatever the other makes; it replaces the placeholder, if that is still there.
                    return await making.RunAsync(null, read.Ticket, null, Keeping.Both).ConfigureAwait(false);

                case RemoteState.Taken:
                    if (await WaitAsync(making, null).ConfigureAwait(false) is { } given)
                    {
                        return given;
                    }

                    continue;

                case RemoteState.Unread when !call.Options.MayReadRemote:
                    return await making.RunAsync(null, read.Ticket, null, Keeping.Both).ConfigureAwait(false);

                case RemoteState.Absent:
                    engine.Counters.Add(HybridEvent.RemoteMiss);
                    return await MakeAloneAsync(making, null, Keeping.Local).ConfigureAwait(false);

                case RemoteState.Unavailable:
                    return ServeUnseen(local) ?? await MakeAloneAsync(making, FallbackOf(local), call.Options.MayWriteRemote ? Keeping.LocalUntilSeen : Keeping.Local).ConfigureAwait(false);
            }

            // What is there is of no use. Whoever removes it first makes place for the lease, and what is asked next comes after that.
            engine.Counters.Add(HybridEvent.RemoteMiss);
            if (!mayLease || ++discards > MaximumDiscards)
            {
                return await MakeAloneAsync(making, null, mayLease ? Keeping.None : Keeping.Local).ConfigureAwait(false);
            }

            _ = engine.Remote.Discard(call.WireKey, read.Ticket);
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
                engine.Local.Drop(call.Key, local);
            }

            return null;
        }

        if (engine.Time.GetTimestamp() >= local.LocalUntil)
        {
            return null;
        }

        if (!local.IsDetached && call.Options.MayReadRemote)
        {
            if (local.IsStale)
            {
                return null;
            }

            long sentAt = engine.Time.GetTimestamp();
            RemoteState now = local.Ticket.IsKnown ? await engine.Remote.LookAsync(call.WireKey, local.Ticket).ConfigureAwait(false) : RemoteState.Changed;
            if (now is not (RemoteState.Entry or RemoteState.Unavailable))
            {
                // Unless it was never in the cluster: then the read that follows tells whether the cluster can be asked again.
                if (local.Ticket.IsKnown)
                {
                    engine.Local.Drop(call.Key, local);
                }

                return null;
            }

            engine.Writer.Confirm(local, now == RemoteState.Entry ? sentAt : engine.Time.GetTimestamp());
        }

        return Serve(local);
    }

    private Outcome<T>? Serve(CachedEntry local)
    {
        if (!engine.TryRead<T>(call.Key, local, out T? value))
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
    private Outcome<T>? ServeUnseen(CachedEntry? local)
    {
        long now = engine.Time.GetTimestamp();
        if (local is null || now >= local.LocalUntil || engine.Tags.Check(local.Tags, now) is TagCheck.Invalid or TagCheck.Unverifiable)
        {
            return null;
        }

        engine.Writer.Confirm(local, now);
        return Serve(local);
    }

    /// <summary>What is to be done with an entry that the cluster has.</summary>
    private async ValueTask<Verdict> JudgeAsync(RemoteRead read, Making<TState, T> making, bool mayLease)
    {
        CachedEntry entry = read.Entry!;
        TagCheck check = await engine.Tags.CheckAsync(entry.Tags).ConfigureAwait(false);
        if (check == TagCheck.Invalid)
        {
            return default;
        }

        if (check == TagCheck.Unverifiable)
        {
            // It may be right for all others: it is neither used nor touched.
            return new Verdict { Outcome = await MakeAloneAsync(making, null, Keeping.LocalUntilSeen).ConfigureAwait(false) };
        }

        if (!engine.TryRead<T>(call.Key, entry, out T? value))
        {
            return default;
        }

        long age = engine.Time.GetUtcNow().ToUnixTimeMilliseconds() - entry.ExpiresAt;
        if (age < 0)
        {
            engine.Counters.Add(HybridEvent.RemoteHit);
            engine.Writer.Keep(call, EntryWriter.CopyOf(call, entry, value, isStale: false, codec), read.SentAt);
            return new Verdict { Outcome = new Outcome<T>(value, CacheSource.Remote, entry) };
        }

        if (age < Settings.StaleWindow.TotalMilliseconds)
        {
            engine.Writer.Keep(call, EntryWriter.CopyOf(call, entry, value, isStale: true, codec), read.SentAt, Settings.StaleWindow);
            Task<Outcome<T>?>? refresh = null;
            if (mayLease)
            {
                engine.Refreshes.TryBegin(new FlightKey(call.Key, call.Options.Distinct, typeof(T)), making.Detach(entry, value).RefreshAsync, out refresh);
            }

            return new Verdict { Outcome = new Outcome<T>(value, CacheSource.Stale, entry) { Refresh = refresh } };
        }

        Fallback<T>? fallback = age < Settings.MaxStale.TotalMilliseconds ? new Fallback<T>(entry, value) : null;
        if (!mayLease)
        {
            return new Verdict { Outcome = await MakeAloneAsync(making, fallback, Keeping.Local).ConfigureAwait(false) };
        }

        (RemoteState state, Lease? lease) = await engine.Remote.LeaseRefreshAsync(engine.Keys.Encode(call.Key, HybridSpace.Lease), call.WireKey, entry.Ticket).ConfigureAwait(false);
        return state switch
        {
            RemoteState.Won => new Verdict { Outcome = await making.RunAsync(lease, entry.Ticket, fallback, Keeping.Both).ConfigureAwait(false) },
            RemoteState.Taken => new Verdict { MustWait = true, Fallback = fallback },
            RemoteState.Changed => new Verdict { MustReadAgain = true },
            _ => new Verdict { Outcome = await MakeAloneAsync(making, fallback, Keeping.LocalUntilSeen).ConfigureAwait(false) },
        };
    }

    /// <summary>Pauses before asking again; gives the last value, or one made alone, when the wait has been long enough.</summary>
    private async ValueTask<Outcome<T>?> WaitAsync(Making<TState, T> making, Fallback<T>? fallback)
    {
        if (!call.Options.MayCreate)
        {
            return new Outcome<T>(default!, CacheSource.None, null);
        }

        long now = engine.Time.GetTimestamp();
        if (_waitingSince == 0)
        {
            _waitingSince = now;
            engine.Counters.Add(HybridEvent.LeaseWaited);
        }

        TimeSpan waited = engine.Time.GetElapsedTime(_waitingSince, now);
        if (fallback is not null && Settings.FactorySoftTimeout != Timeout.InfiniteTimeSpan && waited >= Settings.FactorySoftTimeout)
        {
            return making.Serve(fallback);
        }

        if (waited >= Settings.MaximumLeaseWait)
        {
            return await making.RunAsync(null, null, fallback, Keeping.None).ConfigureAwait(false);
        }

#pragma warning disable CA5394 // Spreads those who wait.
        await Task.Delay(_pause * (0.75 + (Random.Shared.NextDouble() / 2)), engine.Time, making.Token).ConfigureAwait(false);
#pragma warning restore CA5394
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        return null;
    }

    private async ValueTask<Outcome<T>> MakeAloneAsync(Making<TState, T> making, Fallback<T>? fallback, Keeping keeping)
        => call.Options.MayCreate
            ? await making.RunAsync(null, null, fallback, keeping).ConfigureAwait(false)
            : new Outcome<T>(default!, CacheSource.None, null);

    /// <summary>The process's own copy as the last value, where the cluster cannot say whether there is a later one.</summary>
    private Fallback<T>? FallbackOf(CachedEntry? local)
    {
        if (local is null || engine.Tags.Check(local.Tags, engine.Time.GetTimestamp()) is TagCheck.Invalid or TagCheck.Unverifiable)
        {
            return null;
        }

        long age = engine.Time.GetUtcNow().ToUnixTimeMilliseconds() - local.ExpiresAt;
        return age < Settings.MaxStale.TotalMilliseconds && engine.TryRead<T>(call.Key, local, out T? value) ? new Fallback<T>(local, value) : null;
    }

    private readonly struct Verdict
    {
        public Outcome<T>? Outcome { get; init; }

        public bool MustWait { get; init; }

        public bool MustReadAgain { get; init; }

        public Fallback<T>? Fallback { get; init; }
    }
}
