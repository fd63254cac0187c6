using System.Security.Cryptography;
using System.Text;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>
/// Remembers what the latest look-ups of each page found, so that a page that is stored can be given the versions that its tags had before
/// it was made.
/// <para>
/// A request that makes no look-up of its own shares another's. That one ended at most a moment before the request came, or later, and the
/// page was begun after it. So the first look-up of the page that ended after that moment ended before the page was begun, and what it read
/// of the tags is old enough. Where there was a hit since, or not all look-ups since are known any more, there is no answer.
/// </para>
/// </summary>
internal sealed class LookupLog(int maximumPages = 4096)
{
    /// <summary>
    /// Misses that are remembered of one page; requests that make the same page at once are few, for ASP.NET lets them
    /// wait for the first.
    /// </summary>
    private const int MaximumMisses = 16;

    /// <summary>Longer keys are remembered by their hash: a caller can make them long.</summary>
    private const int LongestKey = 512;

    private readonly Lock _lock = new();
    private Dictionary<string, Page> _current = new(StringComparer.Ordinal);
    private Dictionary<string, Page> _previous = new(StringComparer.Ordinal);
    private long _latest = long.MinValue;
    private long _rotatedAt = long.MinValue;
    private long _knownSince = long.MinValue;

    /// <summary>Notes that a page was found.</summary>
    public void NoteHit(string key, long timestamp)
    {
        lock (_lock)
        {
            Page page = PageOf_NeedsLock(key, timestamp);
            page.LastHit = Math.Max(page.LastHit, timestamp);
        }
    }

    /// <summary>
    /// Notes that a page was not found, and the versions of its tags that were read at the same time, as far as they
    /// were.
    /// </summary>
    public void NoteMiss(string key, Lookup miss)
    {
        lock (_lock)
        {
            Page page = PageOf_NeedsLock(key, miss.Timestamp);
            if (page.Misses.Count == MaximumMisses)
            {
                page.KnownSince = Math.Max(page.KnownSince, page.Misses.Dequeue().Timestamp + 1);
            }

            page.Misses.Enqueue(miss);
        }
    }

    /// <summary>The first look-up since a time, if that is known for sure and was a miss.</summary>
    public Lookup? FirstSince(string key, long since)
    {
        lock (_lock)
        {
            return since >= _knownSince && Find_NeedsLock(Shorten(key)) is { } page && since >= page.KnownSince && page.LastHit < since
                ? page.Misses.Where(miss => miss.Timestamp >= since).MinBy(static miss => miss.Timestamp)
                : null;
        }
    }

    private static string Shorten(string key)
        => key.Length <= LongestKey ? key : "#" + Convert.ToHexString(SHA256.HashData(Encoding.Unicode.GetBytes(key)));

    private Page? Find_NeedsLock(string key) => _current.GetValueOrDefault(key) ?? _previous.GetValueOrDefault(key);

    /// <summary>
    /// Pages that nobody looks for are forgotten in two steps: once there are enough, all become the previous ones, and those that
    /// were it are dropped. What was noted since the step before is therefore known.
    /// </summary>
    private Page PageOf_NeedsLock(string longKey, long timestamp)
    {
        string key = Shorten(longKey);
        _latest = Math.Max(_latest, timestamp);
        if (_current.TryGetValue(key, out Page? page))
        {
            return page;
        }

        if (_current.Count >= maximumPages)
        {
            _knownSince = _rotatedAt;
            _rotatedAt = _latest + 1;
            (_previous, _current) = (_current, _previous);
            _current.Clear();
        }

        page = _previous.Remove(key, out Page? moved) ? moved : new Page();
        _current.Add(key, page);
        return page;
    }

    /// <summary>The result of a look-up.</summary>
    /// <param name="Timestamp">When it had ended.</param>
    /// <param name="Tags">The versions that it read.</param>
    internal sealed record Lookup(long Timestamp, VersionedTag[] Tags);

    private sealed class Page
    {
        public Queue<Lookup> Misses { get; } = new(1);

        public long LastHit { get; set; } = long.MinValue;

        public long KnownSince { get; set; } = long.MinValue;
    }
}
