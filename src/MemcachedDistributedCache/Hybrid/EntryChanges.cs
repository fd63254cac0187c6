using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Sets and removes entries. A change that has begun goes its way, and is counted until it has ended, so that the end of the cache
/// can wait for it.
/// </summary>
internal sealed class EntryChanges(
    Calls calls,
    TagTracker tags,
    RemoteCache remote,
    LocalCache local,
    EntryWriter writer,
    HybridContext context)
{
    /// <summary>The changes under way.</summary>
    public WorkCount UnderWay { get; } = new();

    /// <summary>Stores a value in place of whatever is there.</summary>
    public Task SetAsync<T>(string key, T value, CallOptions options, IReadOnlyList<string> tagNames)
        => UnderWay.Count(SetCoreAsync(key, value, options, tagNames));

    private async Task SetCoreAsync<T>(string key, T value, CallOptions options, IReadOnlyList<string> tagNames)
    {
        Call<T> call = calls.New<T>(key, options, tagNames);
        await tags.EnsureAsync(call.Tags).ConfigureAwait(false);
        TagStamp[] stamps = tags.Capture(call.Tags);
        call = call with { Version = local.Invalidate(key) };
        using PreparedEntry<T>? entry = writer.Prepare(call, value, stamps);
        if (entry is null)
        {
            // Nothing can be kept, and what was there before must not stay.
            await RemoveAsync(key).ConfigureAwait(false);
            return;
        }

        if (!options.MayWriteRemote)
        {
            writer.Replace(call, EntryWriter.CopyOf(call, entry, default, isDetached: true), context.Now);
            return;
        }

        long sentAt = context.Now;
        OperationResult stored = await writer.StoreAsync(call, entry, casToken: null).ConfigureAwait(false);
        if (stored.Status == ResultStatus.TooLarge && writer.MayStayHere(call, entry))
        {
            sentAt = context.Now;
            stored = await writer.MarkAsync(call, entry, casToken: null).ConfigureAwait(false);
        }

        if (stored.Status == ResultStatus.TooLarge || stored.Failure?.Reason == MemcachedFailureReason.ServerOutOfMemory)
        {
            await RemoveAsync(key).ConfigureAwait(false);
            return;
        }

        // With the cluster away the process goes on with what it has.
        writer.Replace(call, EntryWriter.CopyOf(call, entry, stored.CasToken, isDetached: false), sentAt);
    }

    /// <summary>Removes an entry everywhere, and whatever is being made for it.</summary>
    public Task RemoveAsync(string key) => UnderWay.Count(RemoveCoreAsync(key));

    private async Task RemoveCoreAsync(string key)
    {
        local.Invalidate(key);
        await remote.RemoveAsync(key).ConfigureAwait(false);

        // What was read between the two may have been from before the removal.
        local.Invalidate(key);
    }

    /// <summary>The same for many keys: at once in this process, and with a bounded number of requests under way in the cluster.</summary>
    public Task RemoveAsync(IReadOnlyList<string> keys)
    {
        foreach (string key in keys)
        {
            local.Invalidate(key);
        }

        return UnderWay.Count(FanOut.RunAsync(keys, context.Width.Requests, RemoveCoreAsync));
    }
}
