using MemcachedDistributedCache.Hybrid;

namespace MemcachedDistributedCache;

/// <summary>The counts of one hybrid cache in this process since it was made.</summary>
public sealed record MemcachedHybridStatistics
{
    internal MemcachedHybridStatistics()
    {
    }

    /// <summary>Values that came from the local cache.</summary>
    public required long LocalHits { get; init; }

    /// <summary>Calls for which it had none to use; those that joined another call are not counted.</summary>
    public required long LocalMisses { get; init; }

    /// <summary>Values that came from the cluster.</summary>
    public required long DistributedHits { get; init; }

    /// <summary>Times that the cluster had none to use.</summary>
    public required long DistributedMisses { get; init; }

    /// <summary>Calls that shared the work of another call of this process.</summary>
    public required long CallsJoined { get; init; }

    /// <summary>Times that this process was given the right to make a value.</summary>
    public required long LeasesWon { get; init; }

    /// <summary>Times that it began to wait for another process's factory.</summary>
    public required long LeasesWaitedFor { get; init; }

    /// <summary>Values that were not stored because the entry was set or removed, or the right was lost, while the factory ran.</summary>
    public required long LeasesLost { get; init; }

    /// <summary>Factories that were run.</summary>
    public required long FactoryRuns { get; init; }

    /// <summary>Factories that threw.</summary>
    public required long FactoryFailures { get; init; }

    /// <summary>Values past their expiration that were served.</summary>
    public required long StaleServed { get; init; }

    /// <summary>Refreshes of expired entries that this process began.</summary>
    public required long RefreshesStarted { get; init; }

    /// <summary>Requests that held the local copy against the cluster's.</summary>
    public required long Revalidations { get; init; }

    /// <summary>Values and keys over their limit, which were not stored in the cluster.</summary>
    public required long OversizeRejections { get; init; }

    /// <summary>Values that could not be serialized, which were not stored.</summary>
    public required long SerializationFailures { get; init; }

    /// <summary>Entries that could not be read, which were made anew.</summary>
    public required long DeserializationFailures { get; init; }

    /// <summary>Tags that this process invalidated.</summary>
    public required long TagInvalidations { get; init; }

    /// <summary>Requests that read the version of a tag.</summary>
    public required long TagReads { get; init; }

    /// <summary>Entries in the local cache at this moment.</summary>
    public required int LocalEntries { get; init; }

    /// <summary>The counts of this moment.</summary>
    internal static MemcachedHybridStatistics Of(HybridCounters counters, int localEntries) => new()
    {
        LocalHits = counters[HybridEvent.LocalHit],
        LocalMisses = counters[HybridEvent.LocalMiss],
        DistributedHits = counters[HybridEvent.RemoteHit],
        DistributedMisses = counters[HybridEvent.RemoteMiss],
        CallsJoined = counters[HybridEvent.SingleFlightJoined],
        LeasesWon = counters[HybridEvent.LeaseWon],
        LeasesWaitedFor = counters[HybridEvent.LeaseWaited],
        LeasesLost = counters[HybridEvent.LeaseLost],
        FactoryRuns = counters[HybridEvent.FactoryRun],
        FactoryFailures = counters[HybridEvent.FactoryFailed],
        StaleServed = counters[HybridEvent.StaleServed],
        RefreshesStarted = counters[HybridEvent.RefreshStarted],
        Revalidations = counters[HybridEvent.Revalidated],
        OversizeRejections = counters[HybridEvent.OversizeRejected],
        SerializationFailures = counters[HybridEvent.SerializationFailed],
        DeserializationFailures = counters[HybridEvent.DeserializationFailed],
        TagInvalidations = counters[HybridEvent.TagInvalidated],
        TagReads = counters[HybridEvent.TagRead],
        LocalEntries = localEntries,
    };
}
