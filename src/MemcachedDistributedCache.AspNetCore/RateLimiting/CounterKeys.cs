using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace MemcachedDistributedCache.AspNetCore.RateLimiting;

/// <summary>
/// The keys of a partition's counters: <c>rl:&lt;43 characters&gt;:&lt;number of the segment&gt;</c>. The characters are a SHA-256 over the
/// limiter's name, the partition and what numbers mean (the segment's length and how many make a window). So whatever a caller puts into a
/// partition's key is a legal key and meets no other's, and processes with other windows have other counters.
/// </summary>
internal sealed class CounterKeys
{
    private readonly string _prefix;
    private readonly string? _routing;
    private Named? _last;

    public CounterKeys(RateLimiterSettings settings, string? partition)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        // Lengths stand before texts, so that no two pairs of texts are the same bytes. UTF-16 as it is: an encoder would make several
        // broken surrogates one character.
        hash.AppendData(MemoryMarshal.AsBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"{settings.Segment.Ticks}x{settings.Segments} {settings.Name.Length}:{settings.Name} {partition?.Length ?? -1}:{partition}").AsSpan()));
        _prefix = $"rl:{Base64Url.EncodeToString(hash.GetHashAndReset())}:";

        // The segments of a window lie on one server, so that what is asked of them goes out in one packet. Each fixed window has a server
        // of its own: a partition that is asked for much moves over all of them.
        _routing = settings.Segments > 1 ? _prefix : null;
    }

    /// <summary>The key of a segment's counter.</summary>
    public MemcachedKey Of(long segment)
    {
        if (_last is { } last && last.Segment == segment)
        {
            return last.Key;
        }

        var key = new MemcachedKey(_prefix + segment.ToString(CultureInfo.InvariantCulture), _routing);
        _last = new Named(segment, key);
        return key;
    }

    private sealed record Named(long Segment, MemcachedKey Key);
}
