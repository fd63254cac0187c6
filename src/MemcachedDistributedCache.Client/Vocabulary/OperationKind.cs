namespace MemcachedDistributedCache.Vocabulary;

/// <summary>The kind of a request; it decides which replies are answers to it.</summary>
internal enum OperationKind : byte
{
    /// <summary>Reads a value.</summary>
    Get,

    /// <summary>Reads a value, or takes the lease of a missing one.</summary>
    Lease,

    /// <summary>Reads flags and time to live.</summary>
    Inspect,

    /// <summary>Sets the time to live.</summary>
    Touch,

    /// <summary>Stores a value.</summary>
    Store,

    /// <summary>Stores nothing under a key of ours, to learn how far the server has counted.</summary>
    Probe,

    /// <summary>Deletes an item.</summary>
    Delete,

    /// <summary>Does nothing, in order.</summary>
    NoOp,
}
