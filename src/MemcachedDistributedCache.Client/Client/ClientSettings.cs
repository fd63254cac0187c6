using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>The options of the client's operations.</summary>
internal sealed record ClientSettings
{
    /// <summary>The time to live where the caller gives none.</summary>
    public required TimeSpan DefaultTimeToLive { get; init; }

    /// <summary>The longest value, in bytes.</summary>
    public required int MaximumValueBytes { get; init; }

    /// <summary>A gutter node is read while the key's own node is down, where the options allow a gutter at all.</summary>
    public bool MayReadGutter { get; init; } = true;

    /// <summary>How stores and deletions go.</summary>
    public required ChangePolicy ValuePolicy { get; init; }

    /// <summary>How numbers are changed, and bytes put to others.</summary>
    public required ChangePolicy CounterPolicy { get; init; }

    /// <summary>Makes bytes of values.</summary>
    public required IMemcachedSerializer Serializer { get; init; }

    /// <summary>How many requests may await their reply on one connection.</summary>
    public required int MaximumPendingOperations { get; init; }

    /// <summary>How many bytes may wait to be sent on one connection.</summary>
    public required int MaximumBufferedBytes { get; init; }

    /// <summary>The limit of an operation in words, for failures that exceeded it.</summary>
    public required TimeSpan OperationTimeout { get; init; }
}
