using System.Threading.RateLimiting;

namespace MemcachedDistributedCache.AspNetCore.RateLimiting;

/// <summary>Permits that were granted. A window takes none back.</summary>
internal sealed class GrantedLease : RateLimitLease
{
    public static GrantedLease Instance { get; } = new();

    /// <inheritdoc/>
    public override bool IsAcquired => true;

    /// <inheritdoc/>
    public override IEnumerable<string> MetadataNames => [];

    /// <inheritdoc/>
    public override bool TryGetMetadata(string metadataName, out object? metadata)
    {
        metadata = null;
        return false;
    }
}

/// <summary>Permits that were refused, with the time after which they may be there.</summary>
internal sealed class RefusedLease(TimeSpan? retryAfter, string reason) : RateLimitLease
{
    /// <summary>An attempt that was not to ask, of a process that holds no permits: nothing is known of the future.</summary>
    public static RefusedLease NotAsked { get; } = new(null, "The process holds no permits, and attempts do not ask memcached.");

    /// <inheritdoc/>
    public override bool IsAcquired => false;

    /// <inheritdoc/>
    public override IEnumerable<string> MetadataNames
        => retryAfter is null ? [MetadataName.ReasonPhrase.Name] : [MetadataName.RetryAfter.Name, MetadataName.ReasonPhrase.Name];

    /// <inheritdoc/>
    public override bool TryGetMetadata(string metadataName, out object? metadata)
    {
        metadata =
            metadataName == MetadataName.RetryAfter.Name ? retryAfter
            : metadataName == MetadataName.ReasonPhrase.Name ? reason
            : null;
        return metadata is not null;
    }
}
