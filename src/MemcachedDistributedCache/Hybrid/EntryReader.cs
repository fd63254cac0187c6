using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using MemcachedDistributedCache.Telemetry;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Reads values out of entries. A value that cannot be read is a miss, and its local copy is forgotten.</summary>
internal sealed class EntryReader(LocalCache local, TagTracker tags, ValueCodecs codecs, HybridContext context)
{
    private readonly ConcurrentDictionary<Type, LogLimiter> _unreadable = new();

    // A hit in the local cache takes tens of nanoseconds: these are not looked up on the way.
    private readonly TimeProvider _time = context.Time;
    private readonly HybridCounters _counters = context.Counters;

    /// <summary>A value from the local cache that may be served without asking anybody.</summary>
    public bool TryGetLocal<T>(string key, in CallOptions options, [MaybeNullWhen(false)] out T value, out MemcachedHybridSource source)
    {
        if (options.MayReadLocal && local.Find(key) is { } entry && IsFresh(entry))
        {
            if (TryServe(entry, out value, out source))
            {
                return true;
            }

            local.Drop(key, entry);
        }

        value = default;
        source = MemcachedHybridSource.None;
        return false;
    }

    /// <summary>The same by a key that is no string: none is made for a value that is there.</summary>
    public bool TryGetLocal<T>(
        ReadOnlySpan<char> key,
        in CallOptions options,
        [MaybeNullWhen(false)] out T value,
        out MemcachedHybridSource source)
    {
        if (options.MayReadLocal && local.Find(key) is { } entry && IsFresh(entry))
        {
            if (TryServe(entry, out value, out source))
            {
                return true;
            }

            local.Drop(key.ToString(), entry);
        }

        value = default;
        source = MemcachedHybridSource.None;
        return false;
    }

    /// <summary>There is a local copy that the caller may be served, fresh or not.</summary>
    public bool HasLocal(string key, in CallOptions options) => options.MayReadLocal && local.Find(key) is not null;

    /// <summary>
    /// The value of an entry for one caller; false if it is not a value of this type, and then the local copy is forgotten.
    /// </summary>
    public bool TryRead<T>(Call<T> call, CachedEntry entry, [MaybeNullWhen(false)] out T value)
    {
        if (TryDecode(entry, call.Codec, out value))
        {
            return true;
        }

        local.Drop(call.Key, entry);
        return false;
    }

    private bool IsFresh(CachedEntry entry)
    {
        long now = _time.GetTimestamp();
        return now < entry.FreshUntil && tags.Check(entry.Tags, now) == TagCheck.Valid;
    }

    private bool TryServe<T>(CachedEntry entry, [MaybeNullWhen(false)] out T value, out MemcachedHybridSource source)
    {
        if (!TryDecode(entry, null, out value))
        {
            source = MemcachedHybridSource.None;
            return false;
        }

        _counters.Add(entry.IsStale ? HybridEvent.StaleServed : HybridEvent.LocalHit);
        source = entry.IsStale ? MemcachedHybridSource.Stale : MemcachedHybridSource.LocalCache;
        return true;
    }

    private bool TryDecode<T>(CachedEntry entry, ValueCodec<T>? codec, [MaybeNullWhen(false)] out T value)
    {
        if (entry is CachedEntry<T> shared)
        {
            value = shared.Value;
            return true;
        }

        if (entry.GetType() == typeof(CachedEntry))
        {
            if (entry.Kind == PayloadKind.Null && default(T) is null)
            {
                value = default!;
                return true;
            }

            codec ??= codecs.Of<T>();
            try
            {
                value = codec.Read(entry.Kind, entry.Payload);
                return true;
            }
            catch (Exception exception)
            {
                // Whatever a serializer throws at what it cannot read: it is a miss.
                _counters.Add(HybridEvent.DeserializationFailed);
                if (_unreadable.GetOrAdd(typeof(T), static _ => new LogLimiter()).TryPass(out long suppressed))
                {
                    HybridLog.HybridNotDeserializable(context.Logger, typeof(T).ToString(), suppressed, exception);
                }

                codec.Proof?.NoteUnreadable(exception);
            }
        }

        value = default;
        return false;
    }
}
