namespace MemcachedDistributedCache.Distributed;

/// <summary>The options of the cache itself, copied when it is made.</summary>
internal sealed record EntryStoreSettings
{
    /// <summary>Stands before every key.</summary>
    public required string Namespace { get; init; }

    /// <summary>Keeps the keys apart from the application's own, where it has a name.</summary>
    public string Partition { get; init; } = "";

    /// <summary>The time to live of an entry whose caller gives none.</summary>
    public required TimeSpan DefaultTimeToLive { get; init; }

    /// <summary>The longest value, in bytes; the server's own limit holds besides.</summary>
    public required int MaximumValueBytes { get; init; }

    /// <summary>The fate of a longer value.</summary>
    public required MemcachedOversizeBehavior OversizeBehavior { get; init; }

    /// <summary>The failure mode: what callers see of a failure.</summary>
    public required MemcachedFailureMode FailureMode { get; init; }

    /// <summary>Which limits a call has that got no answer in time, for the exception that tells of it.</summary>
    public string? Limits { get; init; }

    /// <summary>An item that a server has from before its last outage is a miss.</summary>
    public bool IgnoresBeforeOutage { get; init; }

    /// <summary>
    /// How long a write may still happen after its caller has cancelled it: by then it has been answered, or its
    /// connection given up.
    /// </summary>
    public TimeSpan CancelledWriteWindow { get; init; } = TimeSpan.FromSeconds(3);
}
