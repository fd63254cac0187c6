using System.Runtime.InteropServices;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Judges whether an entry may be served: a local copy by its tags and by what the cluster has now, and the cluster's entry by its
/// tags and its age.
/// </summary>
internal sealed class EntryJudge(LocalCache local, RemoteCache remote, TagTracker tags, EntryReader reader, HybridContext context)
{
    /// <summary>The local copy of a call, fresh or not.</summary>
    public CachedEntry? FindLocal<T>(Call<T> call) => call.Options.MayReadLocal ? local.Find(call.Key) : null;

    /// <summary>Serves the local copy if it is still right, held against the cluster where it has an entry there.</summary>
    /// <returns>
    /// The outcome, or null where the cluster has to be asked for the value; and the copy, if it may still serve where the cluster
    /// gives no answer.
    /// </returns>
    public async ValueTask<(Outcome<T>? Outcome, CachedEntry? Left)> ReviveAsync<T>(Call<T> call, CachedEntry copy)
    {
        TagCheck check = await tags.CheckAsync(copy.Tags).ConfigureAwait(false);
        if (check == TagCheck.Invalid)
        {
            local.Drop(call.Key, copy);
        }

        // A value past its expiration is served for a moment only, while it is fresh; then the factory has its turn again.
        if (check != TagCheck.Valid || copy.IsStale || context.Now >= copy.LocalUntil)
        {
            return (null, copy);
        }

        if (copy.IsDetached || !call.Options.MayReadRemote)
        {
            return (Serve(call, copy), copy);
        }

        if (!copy.CasToken.IsKnown)
        {
            // It was never in the cluster: the read that follows tells whether the cluster can be asked again.
            return (null, copy);
        }

        long sentAt = context.Now;
        RemoteState now = await remote.LookAsync(call.WireKey, copy.CasToken).ConfigureAwait(false);
        switch (now)
        {
            case RemoteState.Entry:
                copy.IsUnanswered = false;
                local.Confirm(copy, sentAt);
                return (Serve(call, copy), copy);

            case RemoteState.Unavailable or RemoteState.Unanswered:
                // Once no answer has come in time the value itself is read, perhaps by another connection.
                return (ServeUnseen(call, copy, isTimedOut: now == RemoteState.Unanswered), copy);
        }

        // What the cluster has called changed is not served any more, also if the cluster cannot be asked for the new value. Of a
        // CAS token of another connection the cluster cannot tell.
        local.Drop(call.Key, copy);
        return (null, now == RemoteState.Unread ? copy : null);
    }

    /// <summary>
    /// The local copy, or null once the cluster has told that the key has another entry or none. A copy that could not be held
    /// against the cluster must not be served after that, also if the cluster cannot be asked again.
    /// </summary>
    public CachedEntry? KeepUnlessAnswered<T>(Call<T> call, CachedEntry? copy, in RemoteRead read)
    {
        bool isAnswered = copy is { IsDetached: false } && read.State switch
        {
            RemoteState.Entry => read.Entry!.CreatedAt != copy.CreatedAt || read.Entry.ExpiresAt != copy.ExpiresAt,
            RemoteState.Won or RemoteState.Taken or RemoteState.Absent => true,
            _ => false,
        };
        if (isAnswered)
        {
            local.Drop(call.Key, copy!);
        }

        return isAnswered ? null : copy;
    }

    /// <summary>
    /// Serves the local copy, where the cluster cannot say otherwise. A server that is up and does not answer in time may do so
    /// for as long as the copy lives, as the value is large. So that is good for one more interval, and not for a second.
    /// </summary>
    public Outcome<T>? ServeUnseen<T>(Call<T> call, CachedEntry? copy, bool isTimedOut)
    {
        long now = context.Now;
        if (copy is null
            || now >= copy.LocalUntil
            || (isTimedOut && copy.IsUnanswered)
            || tags.Check(copy.Tags, now) is TagCheck.Invalid or TagCheck.Unverifiable)
        {
            return null;
        }

        copy.IsUnanswered |= isTimedOut;
        local.Confirm(copy, now);
        return Serve(call, copy);
    }

    /// <summary>The local copy as the last value, where the cluster cannot say whether there is a later one.</summary>
    public Fallback<T>? FallbackOf<T>(Call<T> call, CachedEntry? copy)
        => copy is not null
            && tags.Check(copy.Tags, context.Now) is not (TagCheck.Invalid or TagCheck.Unverifiable)
            && context.UnixTime - copy.ExpiresAt < context.Options.MaxStale.TotalMilliseconds
            && reader.TryRead(call, copy, out T? value) ? new Fallback<T>(copy, value) : null;

    /// <summary>Judges an entry that was read from the cluster.</summary>
    public async ValueTask<ReadJudgement<T>> JudgeAsync<T>(Call<T> call, CachedEntry entry)
    {
        TagCheck check = await tags.CheckReadAsync(entry.Tags).ConfigureAwait(false);
        if (check != TagCheck.Valid)
        {
            return new(check == TagCheck.Invalid ? Judgement.Useless : Judgement.Unverifiable);
        }

        double age = context.UnixTime - entry.ExpiresAt;
        if (entry.Kind == PayloadKind.Elsewhere)
        {
            return new(age < 0 ? Judgement.Elsewhere : Judgement.Useless);
        }

        return !reader.TryRead(call, entry, out T? value) ? new(Judgement.Useless)
            : age < 0 ? new(Judgement.Fresh, value)
            : age < context.Options.StaleWindow.TotalMilliseconds ? new(Judgement.Stale, value)
            : age < context.Options.MaxStale.TotalMilliseconds ? new(Judgement.LastValue, value)
            : new(Judgement.Expired);
    }

    private Outcome<T>? Serve<T>(Call<T> call, CachedEntry copy)
    {
        if (!reader.TryRead(call, copy, out T? value))
        {
            return null;
        }

        if (!copy.IsStale)
        {
            context.Counters.Add(HybridEvent.LocalHit);
        }

        return new Outcome<T>(value, copy.IsStale ? MemcachedHybridSource.Stale : MemcachedHybridSource.LocalCache, copy);
    }
}

/// <summary>The judgement of an entry of the cluster.</summary>
internal enum Judgement : byte
{
    /// <summary>Nothing: whoever removes it makes place for a lease.</summary>
    Useless,

    /// <summary>It may be right for all others, but its tags' versions cannot be read: it is neither used nor touched.</summary>
    Unverifiable,

    /// <summary>It is the mark of a value that is too large for the cluster: each process makes its own.</summary>
    Elsewhere,

    /// <summary>It is the value.</summary>
    Fresh,

    /// <summary>It has expired, and is served while it is refreshed.</summary>
    Stale,

    /// <summary>It has expired, and is served should the factory fail.</summary>
    LastValue,

    /// <summary>It has expired, and is not served; but another process may refresh it.</summary>
    Expired,
}

/// <summary>The judgement on an entry of the cluster, and its value where that may be served.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ReadJudgement<T>(Judgement Kind, T? Value = default);
