using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Keeps the values that factories have made, on the condition that the key is still in the state from before the factory: a
/// removal or a set that came meanwhile wins, and the value is given to its callers and kept nowhere.
/// </summary>
internal sealed class MadeValues(RemoteCache remote, EntryWriter writer, HybridContext context)
{
    /// <summary>Keeps a value that has been made, and lets go of the lease.</summary>
    /// <param name="call">The call, with the options that the factory has chosen.</param>
    /// <param name="value">The value.</param>
    /// <param name="stamps">The tags' versions from before the factory.</param>
    /// <param name="claim">By which right the value was made.</param>
    public async ValueTask<Outcome<T>> KeepAsync<T>(Call<T> call, T value, TagStamp[] stamps, Claim claim)
    {
        if (context.HasEnded)
        {
            await claim.ReleaseAsync().ConfigureAwait(false);
            return new Outcome<T>(value, MemcachedHybridSource.Factory, null);
        }

        using PreparedEntry<T>? entry = writer.Prepare(call, value, stamps);
        if (entry is null)
        {
            await GiveUpAsync(call, claim).ConfigureAwait(false);
            return new Outcome<T>(value, MemcachedHybridSource.Factory, null);
        }

        StoreTarget target = claim.Target;
        if (target is StoreTarget.Both or StoreTarget.Marked or StoreTarget.LocalUntilSeen && !call.Options.MayWriteRemote)
        {
            // The factory wants it in this process only. A removal or a set that came meanwhile wins here too.
            target = await IsUntouchedAsync(call, claim).ConfigureAwait(false) ? StoreTarget.Local : StoreTarget.None;
        }

        CachedEntry copy = target is StoreTarget.Both or StoreTarget.Marked
            ? await StoreAsync(call, entry, claim).ConfigureAwait(false)
            : KeepHere(call, entry, target);
        return new Outcome<T>(value, MemcachedHybridSource.Factory, copy);
    }

    /// <summary>
    /// Serves the last value, also to those who come next for a moment before the factory is tried again; unless the value has been
    /// removed or replaced while the factory ran: then only those have it who came before.
    /// </summary>
    public async ValueTask<Outcome<T>> ServeLastAsync<T>(Call<T> call, Fallback<T> fallback)
    {
        long lookedAt = context.Now;
        CasToken casToken = fallback.Entry.CasToken;
        if (!casToken.IsKnown
            || await remote.LookAsync(call.WireKey, casToken).ConfigureAwait(false)
                is RemoteState.Entry or RemoteState.Unavailable or RemoteState.Unanswered)
        {
            writer.KeepStale(call, fallback, lookedAt, context.Options.MaxStale);
        }

        return new Outcome<T>(fallback.Value, MemcachedHybridSource.Stale, fallback.Entry);
    }

    private CachedEntry KeepHere<T>(Call<T> call, PreparedEntry<T> entry, StoreTarget target)
    {
        CachedEntry copy = EntryWriter.CopyOf(call, entry, default, isDetached: target == StoreTarget.Local);
        if (target != StoreTarget.None)
        {
            writer.Keep(call, copy, context.Now);
        }

        return copy;
    }

    private async ValueTask<CachedEntry> StoreAsync<T>(Call<T> call, PreparedEntry<T> entry, Claim claim)
    {
        CasToken? held = claim.Lease is null ? null : await claim.Lease.EndAsync().ConfigureAwait(false);
        if ((claim.Over ?? held) is not { } casToken || Array.Exists(entry.Head.Tags, static stamp => stamp.State.IsProvisional))
        {
            context.Counters.Add(HybridEvent.LeaseLost);
            await claim.ReleaseAsync().ConfigureAwait(false);
            return EntryWriter.CopyOf(call, entry, default, isDetached: false);
        }

        long sentAt = context.Now;
        OperationResult stored = await writer.StoreAsync(call, entry, casToken).ConfigureAwait(false);
        if (stored.Status == ResultStatus.TooLarge)
        {
            if (!writer.MayStayHere(call, entry))
            {
                await GiveUpAsync(call, claim).ConfigureAwait(false);
                return EntryWriter.CopyOf(call, entry, default, isDetached: false);
            }

            stored = claim.Target == StoreTarget.Marked
                ? await writer.FindMarkAsync(call, casToken).ConfigureAwait(false)
                : await writer.MarkAsync(call, entry, casToken).ConfigureAwait(false);
        }

        CachedEntry copy = EntryWriter.CopyOf(call, entry, stored.CasToken, isDetached: false);
        if (stored.Status == ResultStatus.Success)
        {
            writer.Keep(call, copy, sentAt);
            if (claim.Over is null)
            {
                // The value is in the lease's place.
                claim.Lease!.Forget();
                return copy;
            }
        }
        else if (stored.Status == ResultStatus.Conflict)
        {
            // The place is given back all the same: the store may have been refused without the server being asked, and nobody
            // should wait for it.
            context.Counters.Add(HybridEvent.LeaseLost);
        }

        await claim.ReleaseAsync().ConfigureAwait(false);
        return copy;
    }

    /// <summary>
    /// Gives the lease back for a value that is kept nowhere. What the value would have replaced is older, and must not stay.
    /// </summary>
    private async ValueTask GiveUpAsync<T>(Call<T> call, Claim claim)
    {
        if (claim.Over is { } older)
        {
            await remote.Discard(call.WireKey, older).ConfigureAwait(false);
        }

        await claim.ReleaseAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Gives the lease back, and tells whether the key is as it was when the factory began; true where there is no lease and
    /// nothing to compare.
    /// </summary>
    private async ValueTask<bool> IsUntouchedAsync<T>(Call<T> call, Claim claim)
    {
        bool isHeld = await claim.ReleaseAsync().ConfigureAwait(false);
        return claim.Over is { } casToken ? await remote.LookAsync(call.WireKey, casToken).ConfigureAwait(false) == RemoteState.Entry : isHeld;
    }
}
