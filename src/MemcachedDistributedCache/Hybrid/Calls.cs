using System.Diagnostics.CodeAnalysis;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Layout;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Makes calls of what callers give: the key and the tags as they are in the cluster.</summary>
internal sealed class Calls(KeyEncoder keys, TagTracker tags, LocalCache local, ValueCodecs codecs, HybridContext context)
{
    /// <summary>A key can have an entry.</summary>
    public bool IsUsable([NotNullWhen(true)] string? key)
    {
        if (!string.IsNullOrWhiteSpace(key) && key.Length <= context.Options.MaximumKeyLength)
        {
            return true;
        }

        context.Counters.Add(HybridEvent.OversizeRejected);
        HybridLog.HybridKeyNotUsable(context.Logger, key?.Length ?? 0, context.Options.MaximumKeyLength);
        return false;
    }

    /// <summary>How values of a type are kept.</summary>
    public ValueCodec<T> CodecOf<T>() => codecs.Of<T>();

    /// <summary>A call that begins now: what changes its key from here on is seen.</summary>
    public Call<T> New<T>(string key, CallOptions options, IReadOnlyList<string> tagNames)
        => New<T>(key, options, tagNames, local.VersionOf(key));

    /// <summary>A call that began when its key had a number in the local cache.</summary>
    public Call<T> New<T>(string key, CallOptions options, IReadOnlyList<string> tagNames, long version)
    {
        byte[] wireKey = keys.Encode(key, HybridSpace.Entry);
        return new Call<T>(key, wireKey, options, tags.Resolve(tagNames, wireKey), version, codecs.Of<T>());
    }

    /// <summary>Reads the versions of a call's tags anew, where they are too old.</summary>
    public Task EnsureTagsAsync(TagState[] states) => tags.EnsureAsync(states);
}
