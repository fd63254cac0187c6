using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>
/// The versions of tags in memcached. An eviction writes a new one, whatever the number of pages. A version that is
/// missing, because its item was evicted or its server restarted, is made anew and equals none that was before: a loss
/// costs pages and brings none back. So is one that its server has from before it was down: an eviction meanwhile may
/// have gone elsewhere.
/// </summary>
/// <param name="cache">Where they lie; it does not read what is from before an outage.</param>
/// <param name="timeProvider">The clock.</param>
internal sealed class TagVersions(MemcachedCache cache, TimeProvider timeProvider)
{
    /// <summary>Versions that were made lately and are remembered as seen.</summary>
    private const int MaximumSeen = 10_000;

    /// <summary>Long past any clock tolerance.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromMinutes(10);

    /// <summary>Longer than any page: one whose tag's version expires is gone with it.</summary>
    private static readonly DistributedCacheEntryOptions LongLived = new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromDays(365) };

    private readonly ConcurrentDictionary<UInt128, long> _seen = new();

    /// <summary>The version of a tag, or null where there is none.</summary>
    /// <exception cref="MemcachedUnavailableException">The tag's server gave no answer.</exception>
    public async Task<TagVersion?> ReadAsync(TagId tag, CancellationToken cancellationToken)
    {
        byte[]? stored = await cache.GetAsync(tag.Key, cancellationToken).ConfigureAwait(false);
        if (!TagVersion.TryRead(stored, out TagVersion version))
        {
            return null;
        }

        NoteSeen(version);
        return version;
    }

    /// <summary>The version of a tag that has none that can be read, and whether there was none at all until now.</summary>
    /// <exception cref="MemcachedUnavailableException">The tag's server gave no answer.</exception>
    public async Task<(TagVersion Version, bool IsFirst)> MakeAsync(TagId tag, CancellationToken cancellationToken)
    {
        // Added and not set: of several processes that find none at once all must come to use one, and an eviction meanwhile must win.
        TagVersion made = TagVersion.New(timeProvider.GetUtcNow());
        if (await cache.TryAddAsync(tag.Key, new ReadOnlySequence<byte>(made.ToArray()), LongLived, CancellationToken.None).ConfigureAwait(false))
        {
            NoteSeen(made);
            return (made, true);
        }

        // One that is there and not read, from before an outage or uncertain, is replaced whatever it is. Should it be
        // of an eviction of this moment: to pages it makes no difference which version they do not have.
        return (await ReadAsync(tag, cancellationToken).ConfigureAwait(false) ?? await ReplaceAsync(tag).ConfigureAwait(false), false);
    }

    /// <summary>Gives a tag a new version; when this returns no process finds a page that had the one before.</summary>
    /// <exception cref="MemcachedUnavailableException">The tag's server gave no answer.</exception>
    public Task EvictAsync(TagId tag) => ReplaceAsync(tag);

    /// <summary>The version is surely older than a time: seen before it here, or made well before it by the clocks.</summary>
    public bool IsOlderThan(TagVersion version, long timestamp, TimeSpan clockTolerance)
    {
        if (_seen.TryGetValue(version.Number, out long seenAt) && seenAt < timestamp)
        {
            return true;
        }

        DateTimeOffset then = timeProvider.GetUtcNow() - timeProvider.GetElapsedTime(timestamp);
        return version.MadeAt + (long)Math.Ceiling(clockTolerance.TotalMilliseconds) < then.ToUnixTimeMilliseconds();
    }

    private async Task<TagVersion> ReplaceAsync(TagId tag)
    {
        // Not to be cancelled: what the tag stands for has changed, whether or not the caller still waits.
        // A retry stores another version: the one before may have arrived unheard of, and another eviction may have
        // come since, which it would undo.
        TagVersion version = default;
        await cache.SetMadeAsync(
            tag.Key,
            () => new ReadOnlySequence<byte>((version = TagVersion.New(timeProvider.GetUtcNow())).ToArray()),
            LongLived,
            CancellationToken.None).ConfigureAwait(false);
        NoteSeen(version);
        return version;
    }

    private void NoteSeen(TagVersion version)
    {
        if (version.MadeAt < (timeProvider.GetUtcNow() - Recent).ToUnixTimeMilliseconds() || _seen.ContainsKey(version.Number))
        {
            return;
        }

        if (_seen.Count >= MaximumSeen)
        {
            // Forgetting is safe: the clocks decide instead.
            _seen.Clear();
        }

        _seen.TryAdd(version.Number, timeProvider.GetTimestamp());
    }
}
