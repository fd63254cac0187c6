namespace MemcachedDistributedCache.Hybrid;

/// <summary>Asks the cluster for the keys of batches, and to be told to make them, as far as the callers' flags allow.</summary>
internal sealed class BatchReads(RemoteCache remote, EntryJudge judge, EntryWriter writer, HybridContext context)
{
    /// <summary>Asks for one key.</summary>
    /// <param name="item">The key; it is given the right to make its value.</param>
    /// <param name="tagsKnown">Completes when the versions of the tags have been read.</param>
    /// <param name="renewals">How many of the batch's leases are renewed at once.</param>
    /// <returns>What is next, and the value if it is there.</returns>
    public async ValueTask<(BatchStep Step, T? Value)> AskAsync<T>(BatchItem<T> item, Task tagsKnown, SemaphoreSlim renewals)
    {
        Call<T> call = item.Call;
        CallOptions options = call.Options;
        while (options.MayReadRemote || options.MayWriteRemote)
        {
            RemoteRead read = options.MayWriteRemote
                ? await remote.LeaseAsync(call.WireKey, options.MayReadRemote).ConfigureAwait(false)
                : await remote.GetAsync(call.WireKey).ConfigureAwait(false);
            await tagsKnown.ConfigureAwait(false);
            if (read.State == RemoteState.Entry)
            {
                ReadJudgement<T> judgement = await judge.JudgeAsync(call, read.Entry!).ConfigureAwait(false);
                if (Take(item, read, judgement) is { } taken)
                {
                    return (taken, judgement.Value);
                }
            }
            else if (Answer(item, read, renewals) is { } step)
            {
                return (step, default);
            }

            // What is there is of no use. It is removed to make place for the lease.
            context.Counters.Add(HybridEvent.RemoteMiss);
            if (!options.MayWriteRemote || ++item.Discards > RemoteCache.MaximumDiscards)
            {
                item.Claim = new Claim(options.MayWriteRemote ? StoreTarget.None : StoreTarget.Local);
                return (BatchStep.Make, default);
            }

            _ = remote.Discard(call.WireKey, read.CasToken);
        }

        item.Claim = new Claim(StoreTarget.Local);
        return (BatchStep.Make, default);
    }

    /// <summary>The next step after a reply without an entry; null where the item that is there is of no use.</summary>
    private BatchStep? Answer<T>(BatchItem<T> item, in RemoteRead read, SemaphoreSlim renewals)
    {
        CallOptions options = item.Call.Options;
        switch (read.State)
        {
            case RemoteState.Won:
                context.Counters.Add(HybridEvent.RemoteMiss);
                read.Lease!.Begin(renewals); // Others of the batch may take their time.
                item.Claim = new Claim(StoreTarget.Both, read.Lease);
                return BatchStep.Make;

            case RemoteState.Absent:
                context.Counters.Add(HybridEvent.RemoteMiss);
                item.Claim = new Claim(StoreTarget.Local);
                return BatchStep.Make;

            case RemoteState.Unavailable when context.Options.Retention > TimeSpan.Zero && judge.FindLocal(item.Call) is not null:
                return BatchStep.Single; // The local copy may be served in place of a factory that fails.

            case RemoteState.Unavailable:
                item.Claim = new Claim(options.MayWriteRemote ? StoreTarget.LocalUntilSeen : StoreTarget.Local);
                return BatchStep.Make;

            case RemoteState.Taken when options.MayReadRemote:
                return BatchStep.Wait;

            case RemoteState.Taken:
            case RemoteState.Unread when read.MayBeReplaced:
                item.Claim = new Claim(StoreTarget.Both, Over: read.CasToken);
                return BatchStep.Make;

            default:
                return null;
        }
    }

    /// <summary>The next step after a reply with an entry; null if the entry is of no use to anybody.</summary>
    private BatchStep? Take<T>(BatchItem<T> item, in RemoteRead read, in ReadJudgement<T> judgement)
    {
        switch (judgement.Kind)
        {
            case Judgement.Fresh:
                context.Counters.Add(HybridEvent.RemoteHit);
                writer.KeepRead(item.Call, read, judgement.Value!);
                return BatchStep.Done;

            case Judgement.Elsewhere:
                // The value is too large for the cluster: each process makes its own.
                context.Counters.Add(HybridEvent.RemoteMiss);
                item.Claim = new Claim(item.Call.Options.MayWriteRemote ? StoreTarget.Marked : StoreTarget.Local, Over: read.CasToken);
                return BatchStep.Make;

            case Judgement.Unverifiable:
            case Judgement.Stale or Judgement.LastValue or Judgement.Expired when context.Options.Retention > TimeSpan.Zero:
                return BatchStep.Single;

            default:
                return null;
        }
    }
}
