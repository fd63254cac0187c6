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

    /// <summary>Reads an item as it is, or touches it.</summary>
    Fetch,

    /// <summary>Stores a value, on a condition or none, and tells a condition that did not hold from an item that was not there.</summary>
    Put,

    /// <summary>Lengthens the value that is there, at its start or its end.</summary>
    Append,

    /// <summary>Adds to the number that is there, or takes from it.</summary>
    Increment,

    /// <summary>Does nothing, in order.</summary>
    NoOp,
}
