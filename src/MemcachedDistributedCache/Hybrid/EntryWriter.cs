using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Makes entries of values, and puts them in their places: the cluster, and the local cache.</summary>
internal sealed class EntryWriter(RemoteCache remote, LocalCache local, EntryLayout layout, HybridContext context)
{
    private MemcachedHybridCacheOptions Options => context.Options;

    /// <summary>Serializes a value; null if it is not to be kept, or cannot be.</summary>
    /// <param name="call">The call.</param>
    /// <param name="value">The value.</param>
    /// <param name="stamps">The tags' versions from before the value was made.</param>
    public PreparedEntry<T>? Prepare<T>(Call<T> call, T value, TagStamp[] stamps)
    {
        ValueCodec<T> codec = call.Codec;
        if ((value is null && !Options.CacheNullValues) || call.Options.Expiration <= TimeSpan.Zero)
        {
            return null;
        }

        if (codec.IsRefused)
        {
            context.Counters.Add(HybridEvent.SerializationFailed);
            return null;
        }

        var writer = new PooledWriter();
        try
        {
            int header = layout.WriteHeader(writer, stamps);

            // What is too large for the cluster may still have room here.
            long longest = call.Options.MayWriteLocal
                ? Math.Max(Options.MaximumPayloadBytes, Options.MaximumLocalBytes)
                : Options.MaximumPayloadBytes;
            writer.MaximumLength = header + longest;
            PayloadKind kind = value is null ? PayloadKind.Null : codec.Write(value, writer);
            if (value is not null && codec.Proof?.Holds(codec, value, kind, writer.Written[header..]) == false)
            {
                context.Counters.Add(HybridEvent.SerializationFailed);
                writer.Dispose();
                return null;
            }

            long createdAt = context.UnixTime;
            var head = new EntryHead(createdAt, createdAt + Lifetime(call.Options.Expiration), stamps);
            EntryLayout.Complete(writer.Written.Span, kind, head.CreatedAt, head.ExpiresAt, writer.Length - header);
            return new PreparedEntry<T>(value, writer, header, kind, head);
        }
        catch (Exception exception)
        {
            if (writer.IsOverLimit)
            {
                NoteTooLarge();
            }
            else
            {
                context.Counters.Add(HybridEvent.SerializationFailed);
                NoteUnwritable(codec, exception);
            }

            writer.Dispose();
            return null;
        }
    }

    private void NoteUnwritable<T>(ValueCodec<T> codec, Exception exception)
    {
        if (codec.Proof is { } proof)
        {
            proof.NoteUnwritable(exception);
        }
        else
        {
            HybridLog.HybridNotSerializable(context.Logger, typeof(T).ToString(), exception);
        }
    }

    /// <summary>Stores an entry in the cluster, unless it is over the limit; <see cref="RemoteCache.StoreAsync"/>.</summary>
    public ValueTask<OperationResult> StoreAsync<T>(Call<T> call, PreparedEntry<T> entry, CasToken? casToken)
    {
        if (entry.PayloadLength <= Options.MaximumPayloadBytes)
        {
            return remote.StoreAsync(call.WireKey, entry.Item, entry.Lifetime, casToken);
        }

        NoteTooLarge();
        return new ValueTask<OperationResult>(OperationResult.Of(ResultStatus.TooLarge));
    }

    /// <summary>A value that is too large for the cluster may stay in the local cache.</summary>
    public bool MayStayHere<T>(Call<T> call, PreparedEntry<T> entry)
        => call.Options.MayWriteLocal && SizeOf(call, entry.PayloadLength, entry.Value) <= Options.MaximumLocalBytes;

    /// <summary>Stores in place of a value that is too large the mark that each process keeps its own.</summary>
    public ValueTask<OperationResult> MarkAsync<T>(Call<T> call, PreparedEntry<T> entry, CasToken? casToken)
        => remote.StoreAsync(call.WireKey, entry.NewMark(), entry.Lifetime, casToken);

    /// <summary>
    /// The same where the mark is there already, from another process or an earlier value: it is left as it is, so that nobody's
    /// copy ends.
    /// </summary>
    public async ValueTask<OperationResult> FindMarkAsync<T>(Call<T> call, CasToken casToken)
        => await remote.LookAsync(call.WireKey, casToken).ConfigureAwait(false) == RemoteState.Entry
            ? new OperationResult { Status = ResultStatus.Success, Cas = casToken.Cas, Origin = casToken.Origin }
            : OperationResult.Of(ResultStatus.Conflict);

    /// <summary>An entry as it is kept in the local cache, and as further callers' objects are made of.</summary>
    public static CachedEntry CopyOf<T>(Call<T> call, PreparedEntry<T> entry, CasToken casToken, bool isDetached)
    {
        (EntryHead head, long size) = (entry.Head, SizeOf(call, entry.PayloadLength, entry.Value));
        return ShareableTypes<T>.IsShareable
            ? new CachedEntry<T>
            {
                Value = entry.Value,
                Kind = entry.Kind,
                Head = head,
                CasToken = casToken,
                IsDetached = isDetached,
                Size = size,
            }
            : new CachedEntry
            {
                Payload = entry.CopyPayload(),
                Kind = entry.Kind,
                Head = head,
                CasToken = casToken,
                IsDetached = isDetached,
                Size = size,
            };
    }

    /// <summary>Puts a copy of an entry in place that was read from the cluster; <see cref="Keep"/>.</summary>
    public void KeepRead<T>(Call<T> call, in RemoteRead read, T value)
    {
        if (call.Options.MayWriteLocal)
        {
            Keep(call, CopyOf(call, read.Entry!, value, isStale: false), read.SentAt);
        }
    }

    /// <summary>Puts a copy in place of a value past its expiration, to be served for a moment by itself; <see cref="Keep"/>.</summary>
    public void KeepStale<T>(Call<T> call, Fallback<T> old, long knownAt, TimeSpan pastExpiration)
        => Keep(call, CopyOf(call, old.Entry, old.Value, isStale: true), knownAt, pastExpiration);

    /// <summary>An entry that was read from the cluster, as it is kept in the local cache.</summary>
    private static CachedEntry CopyOf<T>(Call<T> call, CachedEntry read, T value, bool isStale)
    {
        long size = SizeOf(call, read.Payload.Length, value);
        return ShareableTypes<T>.IsShareable
            ? new CachedEntry<T>
            {
                Value = value,
                Kind = read.Kind,
                Head = read.Head,
                CasToken = read.CasToken,
                IsDetached = read.IsDetached,
                IsStale = isStale,
                Size = size,
            }
            : new CachedEntry
            {
                Payload = read.Payload,
                Kind = read.Kind,
                Head = read.Head,
                CasToken = read.CasToken,
                IsDetached = read.IsDetached,
                IsStale = isStale,
                Size = size,
            };
    }

    /// <summary>Puts a copy in place, unless the key has been changed since the call began.</summary>
    /// <param name="call">The call.</param>
    /// <param name="entry">The copy.</param>
    /// <param name="knownAt">The moment at which it was surely right: before its read or its store was sent.</param>
    /// <param name="pastExpiration">How long past its expiration a stale copy may be served.</param>
    public void Keep<T>(Call<T> call, CachedEntry entry, long knownAt, TimeSpan pastExpiration = default)
    {
        if (call.Options.MayWriteLocal)
        {
            local.TryPut(call.Key, entry, call.Version, Begin(call, entry, knownAt, pastExpiration));
        }
    }

    /// <summary>Puts a copy in place at the end of a change by this process; <see cref="LocalCache.Replace"/>.</summary>
    /// <param name="call">The call.</param>
    /// <param name="entry">The copy.</param>
    /// <param name="knownAt">The moment at which it was surely right.</param>
    public void Replace<T>(Call<T> call, CachedEntry entry, long knownAt)
    {
        bool isKept = call.Options.MayWriteLocal;
        local.Replace(call.Key, isKept ? entry : null, call.Version, isKept ? Begin(call, entry, knownAt) : default);
    }

    /// <summary>Fills in the moments of a copy, and gives the time for which it may be of use.</summary>
    private TimeSpan Begin<T>(Call<T> call, CachedEntry entry, long knownAt, TimeSpan pastExpiration = default)
    {
        TimeSpan left = TimeSpan.FromMilliseconds(entry.ExpiresAt - context.UnixTime);
        TimeSpan own = entry.IsStale ? left + pastExpiration : Min(left, call.Options.LocalExpiration);
        long now = context.Now;
        entry.LocalUntil = local.After(now, own);
        if (entry.IsDetached && !entry.IsStale)
        {
            entry.FreshUntil = entry.LocalUntil;
        }
        else
        {
            local.Confirm(entry, knownAt);
        }

        // Past its time it may still have to be served in place of a factory.
        return Options.Retention > TimeSpan.Zero ? left + Options.Retention : own;
    }

    private void NoteTooLarge()
    {
        context.Counters.Add(HybridEvent.OversizeRejected);
        HybridLog.HybridValueTooLarge(context.Logger, Options.MaximumPayloadBytes);
    }

    private long Lifetime(TimeSpan expiration)
    {
        double milliseconds = Math.Min(expiration.TotalMilliseconds, TimeSpan.FromDays(36500).TotalMilliseconds);
#pragma warning disable CA5394 // Spreads expirations; nobody gains by guessing.
        double jitter = Options.ExpirationJitter == 0 ? 0 : ((Random.Shared.NextDouble() * 2) - 1) * Options.ExpirationJitter;
#pragma warning restore CA5394
        return Math.Max(1, (long)(milliseconds * (1 + jitter)));
    }

    /// <summary>The bytes that a copy counts for: what the caller or its factory says, or what it takes.</summary>
    private static long SizeOf<T>(Call<T> call, int payloadLength, T? value)
        => call.Options.LocalSize is >= 0 and long chosen
            ? chosen
            : LocalCache.SizeOf(call.Key, (long)payloadLength + (value is null ? 0 : call.Codec.ExtraSize(value)));

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
