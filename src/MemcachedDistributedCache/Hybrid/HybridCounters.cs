namespace MemcachedDistributedCache.Hybrid;

/// <summary>The counts of the hybrid cache since it was made.</summary>
internal sealed class HybridCounters
{
    private readonly long[] _counts = new long[Enum.GetValues<HybridEvent>().Length];

    /// <summary>Counts one event.</summary>
    public void Add(HybridEvent what) => Interlocked.Increment(ref _counts[(int)what]);

    /// <summary>How often an event has been.</summary>
    public long this[HybridEvent what] => Interlocked.Read(ref _counts[(int)what]);
}

/// <summary>The events that are counted.</summary>
internal enum HybridEvent
{
    /// <summary>A value came from the local cache.</summary>
    LocalHit,

    /// <summary>A call found nothing fresh in the local cache.</summary>
    LocalMiss,

    /// <summary>A value came from the cluster.</summary>
    RemoteHit,

    /// <summary>The cluster had no value that could be used.</summary>
    RemoteMiss,

    /// <summary>A call joined another of this process that was under way.</summary>
    SingleFlightJoined,

    /// <summary>This process was told to make a value.</summary>
    LeaseWon,

    /// <summary>A single flight of this process began to wait for another process's factory.</summary>
    LeaseWaited,

    /// <summary>A lease ran out or was taken away while the factory ran, so that its value was not stored.</summary>
    LeaseLost,

    /// <summary>A factory was run.</summary>
    FactoryRun,

    /// <summary>A factory threw.</summary>
    FactoryFailed,

    /// <summary>A value past its expiration was served.</summary>
    StaleServed,

    /// <summary>A refresh of an expired entry began.</summary>
    RefreshStarted,

    /// <summary>The local copy was held against the cluster's.</summary>
    Revalidated,

    /// <summary>A value or key was over its limit, and not stored.</summary>
    OversizeRejected,

    /// <summary>A value could not be serialized, and was not stored.</summary>
    SerializationFailed,

    /// <summary>An entry could not be read, and its value was made anew.</summary>
    DeserializationFailed,

    /// <summary>Tags were invalidated by this process.</summary>
    TagInvalidated,

    /// <summary>The version of a tag was read from the cluster.</summary>
    TagRead,
}
