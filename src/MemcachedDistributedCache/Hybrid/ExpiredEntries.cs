using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Entries past their expiration that are still of use. Whoever makes the new value takes the lease for refreshing, and stores over
/// the entry that was read, so that one of all processes does.
/// </summary>
internal sealed class ExpiredEntries(
    RemoteCache remote,
    EntryWriter writer,
    FactoryRunner factories,
    RefreshTable refreshes,
    HybridContext context)
{
    /// <summary>
    /// Serves an entry within its window, and has it refreshed if the caller may; in the context of the caller, who waits, where
    /// the background could not.
    /// </summary>
    public async ValueTask<Outcome<T>> ServeAsync<TState, T>(FactoryRun<TState, T> run, Fallback<T> old, long readAt, bool mayLease)
    {
        SingleFlightKey key = run.Call.SingleFlightKey;
        if (mayLease && refreshes.HasGivenUp(key, old.Entry.CreatedAt) && await MakeInPlaceAsync(run, old).ConfigureAwait(false) is { } made)
        {
            return made;
        }

        writer.KeepStale(run.Call, old, readAt, context.Options.StaleWindow);
        Task<Outcome<T>?>? refresh = null;
        if (mayLease)
        {
            FactoryRun<TState, T> alone = run with { SingleFlight = null };
            refreshes.TryBegin(key, token => RefreshAsync(alone, old, token), out refresh);
        }

        return new Outcome<T>(old.Value, MemcachedHybridSource.Stale, old.Entry) { Refresh = refresh };
    }

    /// <summary>
    /// Replaces an entry past its window; where another process does so already, or has done so, the state says what is next.
    /// </summary>
    /// <param name="run">The factory and its call.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="fallback">The entry's value, where it may be served should the factory fail.</param>
    public async ValueTask<(RemoteState State, Outcome<T>? Outcome)> ReplaceAsync<TState, T>(
        FactoryRun<TState, T> run,
        CachedEntry entry,
        Fallback<T>? fallback)
    {
        if (fallback is null && context.Options.Retention == TimeSpan.Zero)
        {
            // The server may drop it any moment, and whoever asked then would be told to make the value beside one who makes it to
            // store over this.
            return (RemoteState.Won, null);
        }

        (RemoteState state, Lease? lease) = await remote.LeaseRefreshAsync(run.Call.Key, run.Call.WireKey, entry.CasToken).ConfigureAwait(false);
        switch (state)
        {
            case RemoteState.Won when fallback is null:
                // Nobody refreshes it any more: it goes the way of all that is of no use.
                await lease!.ReleaseAsync().ConfigureAwait(false);
                return (state, null);

            case RemoteState.Won:
                return (state, await factories.RunAsync(run, new Claim(StoreTarget.Both, lease, entry.CasToken), fallback).ConfigureAwait(false));

            case RemoteState.Taken or RemoteState.Changed:
                return (state, null);

            default:
                return (state, await factories.RunAsync(run, new Claim(StoreTarget.LocalUntilSeen), fallback).ConfigureAwait(false));
        }
    }

    /// <summary>Refreshes an entry, if nobody else does; null if another process does, or the factory failed.</summary>
    private async Task<Outcome<T>?> RefreshAsync<TState, T>(FactoryRun<TState, T> run, Fallback<T> old, CancellationToken cancellationToken)
    {
        CasToken casToken = old.Entry.CasToken;
        (RemoteState found, Lease? lease) = await remote.LeaseRefreshAsync(run.Call.Key, run.Call.WireKey, casToken).ConfigureAwait(false);
        var claim = new Claim(StoreTarget.Both, lease, casToken);
        if (found != RemoteState.Won || cancellationToken.IsCancellationRequested)
        {
            await claim.ReleaseAsync().ConfigureAwait(false);
            return null;
        }

        context.Counters.Add(HybridEvent.RefreshStarted);
        Outcome<T> outcome = await factories.RunAsync(run, claim, old).ConfigureAwait(false);
        if (outcome.Source != MemcachedHybridSource.Stale)
        {
            return outcome;
        }

        refreshes.NoteFailed(run.Call.SingleFlightKey, old.Entry.CreatedAt);
        return null;
    }

    /// <summary>
    /// Makes the value of an entry that no refresh in the background could renew, in the context of a caller, who waits; null where
    /// another does it, or has just failed to. While the entry is within its window it is served should the factory fail here too.
    /// </summary>
    private async ValueTask<Outcome<T>?> MakeInPlaceAsync<TState, T>(FactoryRun<TState, T> run, Fallback<T> old)
    {
        SingleFlightKey key = run.Call.SingleFlightKey;
        if (!refreshes.TryEnter(key))
        {
            return null;
        }

        Outcome<T>? outcome = null;
        try
        {
            CasToken casToken = old.Entry.CasToken;
            (RemoteState state, Lease? lease) = await remote.LeaseRefreshAsync(run.Call.Key, run.Call.WireKey, casToken).ConfigureAwait(false);
            if (state == RemoteState.Won)
            {
                outcome = await factories.RunAsync(run, new Claim(StoreTarget.Both, lease, casToken), old).ConfigureAwait(false);
            }
        }
        finally
        {
            refreshes.Leave(key, hasMade: outcome?.Source == MemcachedHybridSource.Factory);
        }

        return outcome;
    }
}
