using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Sets and removes entries. A change that has begun goes its way, and is counted until it has ended, so that the end of the cache can wait for it.</summary>
internal sealed class EntryChanges(HybridEngine engine)
{
    /// <summary>The changes under way.</summary>
    public WorkCount UnderWay { get; } = new();

    /// <summary>Stores a value in place of whatever is there.</summary>
    public Task SetAsync<T>(string key, T value, CallOptions options, IReadOnlyList<string> tags) => UnderWay.Count(SetCoreAsync(key, value, options, tags));

    private async Task SetCoreAsync<T>(string key, T value, CallOptions options, IReadOnlyList<string> tags)
    {
        ValueCodec<T> codec = engine.Codecs.Of<T>();
        byte[] wireKey = engine.Keys.Encode(key, HybridSpace.Entry);
        TagState[] states = engine.Tags.Resolve(tags, wireKey);
        await engine.Tags.EnsureAsync(states).ConfigureAwait(false);
        TagStamp[] stamps = TagTracker.Capture(states, () => TagVersion.Create(engine.Time));
        var call = new Call(key, wireKey, options, states, engine.Local.Invalidate(key));
        using PreparedEntry<T>? entry = engine.Writer.Prepare(call, value, codec, stamps);
        if (entry is null)
        {
            // Nothing can be kept, and what was there before must not stay.
            await RemoveAsync(key).ConfigureAwait(false);
            return;
        }

        if (!options.MayWriteRemote)
        {
            engine.Writer.Replace(call, EntryWriter.CopyOf(call, entry, default, isDetached: true, codec), engine.Time.GetTimestamp());
            return;
        }

        long sentAt = engine.Time.GetTimestamp();
        OperationResult stored = await engine.Writer.StoreAsync(call, entry, casToken: null).ConfigureAwait(false);
        if (stored.Status == ResultStatus.TooLarge && engine.Writer.MayStayHere(call, entry, codec))
        {
            sentAt = engine.Time.GetTimestamp();
            stored = await engine.Writer.MarkAsync(call, entry, casToken: null).ConfigureAwait(false);
        }

        if (stored.Status == ResultStatus.TooLarge || stored.Failure?.Reason == MemcachedFailureReason.ServerOutOfMemory)
        {
            await RemoveAsync(key).ConfigureAwait(false);
            return;
        }

        // With the cluster away the process goes on with what it has.
        engine.Writer.Replace(call, EntryWriter.CopyOf(call, entry, stored.CasToken, isDetached: false, codec), sentAt);
    }

    /// <summary>Removes an entry everywhere, and whatever is being made for it.</summary>
    public Task RemoveAsync(string key) => UnderWay.Count(RemoveCoreAsync(key));

    private async Task RemoveCoreAsync(string key)
    {
        engine.Local.Invalidate(key);
        await engine.Remote.RemoveAsync(engine.Keys.Encode(key, HybridSpace.Entry)).ConfigureAwait(false);

        // What was read between the two may have been from before the removal.
        engine.Local.Invalidate(key);
    }

    /// <summary>The same for many keys: at once in this process, and with a bounded number of requests under way in the cluster.</summary>
    public Task RemoveAsync(IReadOnlyList<string> keys)
    {
        foreach (string key in keys)
        {
            engine.Local.Invalidate(key);
        }

        return UnderWay.Count(FanOut.RunAsync(keys, engine.Settings.MaximumFanOut, RemoveCoreAsync));
    }
}
