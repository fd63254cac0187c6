using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The steps of all operations of one cache.</summary>
/// <param name="Calls">Makes the call.</param>
/// <param name="Judge">Probes the local copy, and judges what the cluster has.</param>
/// <param name="Remote">Reads, or takes the lease.</param>
/// <param name="Writer">Keeps a local copy of what the cluster has.</param>
/// <param name="Expired">Serves and replaces entries past their expiration.</param>
/// <param name="Factories">Makes the value.</param>
internal sealed record GetOrCreateSteps(
    Calls Calls,
    EntryJudge Judge,
    RemoteCache Remote,
    EntryWriter Writer,
    ExpiredEntries Expired,
    FactoryRunner Factories);

/// <summary>
/// The way of a single flight: the local copy if the cluster says that it is still right, else the cluster's entry, else the
/// factory, by whoever holds the lease. A caller who does not hold the lease asks again until the value is there, or the lease is
/// free, or the caller has waited long enough.
/// </summary>
/// <param name="steps">What is done.</param>
/// <param name="context">The cache's context.</param>
/// <param name="singleFlights">What the operation's single flight leaves at the end.</param>
/// <param name="request">What is asked for.</param>
/// <param name="holdsLease">
/// The lease is held by a factory that waits for this operation, which therefore must not wait for the lease.
/// </param>
internal sealed class GetOrCreateOperation<TState, T>(
    GetOrCreateSteps steps,
    HybridContext context,
    SingleFlightTable singleFlights,
    GetOrCreateRequest<TState, T> request,
    bool holdsLease) : ISingleFlightWork<T>
{
    /// <summary>How often an entry may change between two looks.</summary>
    private const int MaximumChanges = 10;

    private Call<T> _call = null!;
    private SingleFlight<T> _singleFlight = null!;
    private CachedEntry? _local;
    private LeaseWait? _wait;
    private byte _discards;
    private byte _changes;

    private bool MayLease => _call.Options.MayCreate && _call.Options.MayWriteRemote;

    private FactoryRun<TState, T> Run => new(_call, request.Factory, _singleFlight);

    /// <inheritdoc/>
    public void Ended(SingleFlight<T> singleFlight) => singleFlights.Leave(singleFlight);

    /// <inheritdoc/>
    public async Task<Outcome<T>> RunAsync(SingleFlight<T> singleFlight)
    {
        _singleFlight = singleFlight;
        _call = steps.Calls.New<T>(request.Key, request.Options, request.Tags, singleFlight.Began.Version);

        // Under way together with the first read.
        Task tagsKnown = steps.Calls.EnsureTagsAsync(_call.Tags);
        _local = steps.Judge.FindLocal(_call);
        if (_local is not null)
        {
            await tagsKnown.ConfigureAwait(false);
            (Outcome<T>? revived, _local) = await steps.Judge.ReviveAsync(_call, _local).ConfigureAwait(false);
            if (revived is not null)
            {
                return revived;
            }
        }

        context.Counters.Add(HybridEvent.LocalMiss);
        if (!_call.Options.MayReadRemote && !MayLease)
        {
            await tagsKnown.ConfigureAwait(false);
            return (await MakeAloneAsync(StoreTarget.Local, DetachedFallback()).ConfigureAwait(false))!;
        }

        while (true)
        {
            if (singleFlight.IsAbandoned)
            {
                throw new OperationCanceledException(singleFlight.Token);
            }

            RemoteRead read = MayLease
                ? await steps.Remote.LeaseAsync(_call.WireKey, _call.Options.MayReadRemote).ConfigureAwait(false)
                : await steps.Remote.GetAsync(_call.WireKey).ConfigureAwait(false);
            await tagsKnown.ConfigureAwait(false);
            _local = steps.Judge.KeepUnlessAnswered(_call, _local, read);
            if (await AnswerAsync(read).ConfigureAwait(false) is { } outcome)
            {
                return outcome;
            }
        }
    }

    /// <summary>The outcome after a reply of the cluster; null if the cluster has to be asked again.</summary>
    private ValueTask<Outcome<T>?> AnswerAsync(in RemoteRead read)
    {
        switch (read.State)
        {
            case RemoteState.Entry:
                return TakeAsync(read);

            case RemoteState.Taken when _call.Options.MayReadRemote:
                return WaitAsync(null);

            case RemoteState.Won:
                context.Counters.Add(HybridEvent.RemoteMiss);
                return MakeAsync(new Claim(StoreTarget.Both, read.Lease));

            case RemoteState.Taken:
                // The caller wants a new value whatever the other makes; it replaces the placeholder, if that is still there.
                return MakeAsync(new Claim(StoreTarget.Both, Over: read.CasToken));

            case RemoteState.Unread when read.MayBeReplaced:
                return MakeAsync(new Claim(StoreTarget.Both, Over: read.CasToken));

            case RemoteState.Absent:
                context.Counters.Add(HybridEvent.RemoteMiss);
                return MakeAloneAsync(StoreTarget.Local, DetachedFallback());

            case RemoteState.Unavailable:
                return steps.Judge.ServeUnseen(_call, _local, read.IsTimedOut) is { } unseen
                    ? new ValueTask<Outcome<T>?>(unseen)
                    : MakeAloneAsync(
                        _call.Options.MayWriteRemote ? StoreTarget.LocalUntilSeen : StoreTarget.Local,
                        steps.Judge.FallbackOf(_call, _local));

            default:
                return MakePlaceAsync(read.CasToken);
        }
    }

    /// <summary>Takes an entry that the cluster has, as far as it is of use.</summary>
    private async ValueTask<Outcome<T>?> TakeAsync(RemoteRead read)
    {
        CachedEntry entry = read.Entry!;
        ReadJudgement<T> judgement = await steps.Judge.JudgeAsync(_call, entry).ConfigureAwait(false);
        switch (judgement.Kind)
        {
            case Judgement.Fresh:
                context.Counters.Add(HybridEvent.RemoteHit);
                steps.Writer.KeepRead(_call, read, judgement.Value!);
                return new Outcome<T>(judgement.Value!, MemcachedHybridSource.DistributedCache, entry);

            case Judgement.Unverifiable:
                return steps.Judge.ServeUnseen(_call, _local, isTimedOut: false) ?? await MakeAloneAsync(StoreTarget.LocalUntilSeen).ConfigureAwait(false);

            case Judgement.Elsewhere:
                context.Counters.Add(HybridEvent.RemoteMiss);
                return MayLease
                    ? await MakeAsync(new Claim(StoreTarget.Marked, Over: read.CasToken)).ConfigureAwait(false)
                    : await MakeAloneAsync(StoreTarget.Local).ConfigureAwait(false);

            case Judgement.Stale:
                return await steps.Expired.ServeAsync(Run, new Fallback<T>(entry, judgement.Value!), read.SentAt, MayLease).ConfigureAwait(false);

            case Judgement.LastValue or Judgement.Expired:
                Fallback<T>? fallback = judgement.Kind == Judgement.LastValue ? new Fallback<T>(entry, judgement.Value!) : null;
                return await ReplaceAsync(entry, fallback).ConfigureAwait(false);

            default:
                return await MakePlaceAsync(read.CasToken).ConfigureAwait(false);
        }
    }

    /// <summary>Makes the value of an entry that has expired, or waits for who makes it.</summary>
    private async ValueTask<Outcome<T>?> ReplaceAsync(CachedEntry entry, Fallback<T>? fallback)
    {
        if (!MayLease)
        {
            return await MakeAloneAsync(StoreTarget.Local, fallback).ConfigureAwait(false);
        }

        (RemoteState state, Outcome<T>? outcome) = await steps.Expired.ReplaceAsync(Run, entry, fallback).ConfigureAwait(false);
        return outcome ?? state switch
        {
            RemoteState.Taken => await WaitAsync(fallback).ConfigureAwait(false),
            RemoteState.Changed => ++_changes <= MaximumChanges ? null : await MakeAloneAsync(StoreTarget.None).ConfigureAwait(false),
            _ => await MakePlaceAsync(entry.CasToken).ConfigureAwait(false),
        };
    }

    /// <summary>
    /// Removes what is of no use. Whoever does so first makes place for the lease, and what is asked next comes after that.
    /// </summary>
    private ValueTask<Outcome<T>?> MakePlaceAsync(CasToken useless)
    {
        context.Counters.Add(HybridEvent.RemoteMiss);
        if (!MayLease || ++_discards > RemoteCache.MaximumDiscards)
        {
            return MakeAloneAsync(MayLease ? StoreTarget.None : StoreTarget.Local);
        }

        _ = steps.Remote.Discard(_call.WireKey, useless);
        return default;
    }

    /// <summary>Pauses before asking again; gives the last value, or one made alone, when the wait has been long enough.</summary>
    private async ValueTask<Outcome<T>?> WaitAsync(Fallback<T>? fallback)
    {
        if (!_call.Options.MayCreate)
        {
            return Outcome<T>.None;
        }

        if (!holdsLease)
        {
            _wait ??= new LeaseWait(context);
            TimeSpan soft = context.Options.FactorySoftTimeout;
            if (fallback is not null && soft != Timeout.InfiniteTimeSpan && _wait.Lasted >= soft)
            {
                return await steps.Factories.ServeLastAsync(_call, fallback).ConfigureAwait(false);
            }

            if (!_wait.IsOver)
            {
                await _wait.PauseAsync(_singleFlight.Token).ConfigureAwait(false);
                return null;
            }
        }

        return await MakeAloneAsync(StoreTarget.None, fallback).ConfigureAwait(false);
    }

    private ValueTask<Outcome<T>?> MakeAsync(in Claim claim) => new(steps.Factories.RunAsync(Run, claim)!);

    /// <summary>Makes the value without a lease, if the caller wants one to be made.</summary>
    private ValueTask<Outcome<T>?> MakeAloneAsync(StoreTarget target, Fallback<T>? fallback = null)
        => _call.Options.MayCreate ? new(steps.Factories.RunAsync(Run, new Claim(target), fallback)!) : new(Outcome<T>.None);

    /// <summary>
    /// The local copy as the last value, where it was kept out of the cluster: then the cluster's miss says nothing about it.
    /// </summary>
    private Fallback<T>? DetachedFallback() => _local is { IsDetached: true } local ? steps.Judge.FallbackOf(_call, local) : null;
}
