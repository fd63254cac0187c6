namespace MemcachedDistributedCache;

/// <summary>How an operation of <see cref="IMemcachedClient"/> ended.</summary>
public enum MemcachedOutcome
{
    /// <summary>There is no outcome: the result is the default value of its type.</summary>
    None,

    /// <summary>Done: found, stored, deleted, touched or counted, as the operation has it.</summary>
    Success,

    /// <summary>There is no such item.</summary>
    NotFound,

    /// <summary>
    /// Nothing was stored: an item that was to be added is there, or one that was to be replaced or appended to is not, or would grow above
    /// the server's item size.
    /// </summary>
    NotStored,

    /// <summary>
    /// The item has been changed since its <see cref="MemcachedCas"/> was told, or that was told by a connection that has ended since.
    /// Nothing was changed.
    /// </summary>
    Conflict,

    /// <summary>The value is larger than the server or the options allow. Nothing was stored, or nothing is handed out.</summary>
    TooLarge,

    /// <summary>The server has no memory for the item and may not evict others. Nothing was stored.</summary>
    OutOfMemory,

    /// <summary>
    /// The server has refused the request in words, which the failure quotes: the item that was to be incremented is no number, for
    /// one. Nothing was changed.
    /// </summary>
    Rejected,

    /// <summary>There is an item, and it cannot be read as the type that was asked for: its flags or its bytes are of another kind.</summary>
    Unreadable,

    /// <summary>The server has no such command, since it is too old or a proxy stands before it. Nothing was sent.</summary>
    Unsupported,

    /// <summary>The server gave no answer, and the request changed nothing: it was not sent, or is a read. The failure says why.</summary>
    Unavailable,

    /// <summary>The request was sent and no answer came: the change may have been made, or be made yet. The failure says why.</summary>
    Unknown,
}
