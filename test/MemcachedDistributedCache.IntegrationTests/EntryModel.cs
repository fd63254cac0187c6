using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>
/// What a cache promises of its entries, without memcached: until when an entry must be there, and from when on it must be gone. Between
/// the two, at most three seconds of the server's clock, either is right and the model follows what was seen.
/// </summary>
internal sealed class EntryModel
{
    private const long ServerSlack = 3000;
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    private enum Liveness
    {
        Gone,
        Either,
        Live,
    }

    public void Set(string key, byte[] value, DistributedCacheEntryOptions options, TimeSpan defaultTimeToLive, DateTimeOffset now)
    {
        long time = now.ToUnixTimeMilliseconds();
        long? deadline = (options.AbsoluteExpirationRelativeToNow is { } relative ? now + relative : options.AbsoluteExpiration)?.ToUnixTimeMilliseconds();
        long? window = (long?)options.SlidingExpiration?.TotalMilliseconds;
        if (deadline <= time)
        {
            _entries.Remove(key);
            return;
        }

        _entries[key] = new Entry
        {
            Value = value,
            Deadline = deadline,
            Window = window ?? (deadline is null ? (long)defaultTimeToLive.TotalMilliseconds : null),
            Slides = window is not null,
            SurelyUsed = time,
            PerhapsUsed = time,
        };
    }

    public void Remove(string key) => _entries.Remove(key);

    public void Refresh(string key, DateTimeOffset now)
    {
        long time = now.ToUnixTimeMilliseconds();
        if (_entries.TryGetValue(key, out Entry? entry) && entry.Slides)
        {
            Liveness liveness = entry.At(time);
            entry.SurelyUsed = liveness == Liveness.Live ? time : entry.SurelyUsed;
            entry.PerhapsUsed = liveness != Liveness.Gone ? time : entry.PerhapsUsed;
        }
    }

    /// <summary>Holds what a read gave against the promise; the text says what is wrong, null is right.</summary>
    public string? Read(string key, byte[]? seen, DateTimeOffset now)
    {
        long time = now.ToUnixTimeMilliseconds();
        if (!_entries.TryGetValue(key, out Entry? entry))
        {
            return seen is null ? null : "a value that was never set, or was removed";
        }

        Liveness liveness = entry.At(time);
        if (seen is null)
        {
            _entries.Remove(key);
            return liveness == Liveness.Live ? $"no value, and it lives for {entry.LiveUntil - time} ms yet" : null;
        }

        if (liveness == Liveness.Gone)
        {
            return $"a value that should be gone for {time - entry.GoneFrom} ms";
        }

        if (!seen.AsSpan().SequenceEqual(entry.Value))
        {
            return "another value than was set";
        }

        if (entry.Slides)
        {
            entry.SurelyUsed = time;
            entry.PerhapsUsed = time;
        }

        return null;
    }

    private sealed class Entry
    {
        public required byte[] Value { get; init; }

        public required long? Deadline { get; init; }

        public required long? Window { get; init; }

        public required bool Slides { get; init; }

        public required long SurelyUsed { get; set; }

        public required long PerhapsUsed { get; set; }

        public long LiveUntil => Math.Min(Deadline ?? long.MaxValue, Window is { } window ? SurelyUsed + window : long.MaxValue);

        /// <summary>Windows are kept in whole seconds, over 65 535 of them with 16 significant bits.</summary>
        public long GoneFrom
            => Math.Min(
                Deadline ?? long.MaxValue,
                Window is { } window ? PerhapsUsed + window + 999 + (window >> 15) + ServerSlack : long.MaxValue);

        public Liveness At(long time) => time < LiveUntil ? Liveness.Live : time < GoneFrom ? Liveness.Either : Liveness.Gone;
    }
}
