namespace MemcachedDistributedCache.Vocabulary;

/// <summary>How an operation ended, as a value: nothing below the public edge throws for a server's sake.</summary>
internal enum ResultStatus : byte
{
    /// <summary>Found, stored, touched or deleted, as the operation has it.</summary>
    Success,

    /// <summary>The item is not there.</summary>
    Miss,

    /// <summary>A store's condition did not hold.</summary>
    Conflict,

    /// <summary>The item is larger than the server takes; nothing was stored.</summary>
    TooLarge,

    /// <summary>The caller cancelled. A write may have happened all the same.</summary>
    Canceled,

    /// <summary>
    /// The server read the request and refuses it, in the words of <see cref="OperationFailure.Detail"/>. Nothing was changed.
    /// </summary>
    Rejected,

    /// <summary>The server's dialect has no command for it. Nothing was changed.</summary>
    Unsupported,

    /// <summary>No answer to rely on; <see cref="OperationResult.Failure"/> says why.</summary>
    Failed,
}

/// <summary>Who is to make the value of an item that was asked for with a lease.</summary>
internal enum LeaseState : byte
{
    /// <summary>Nobody was told to.</summary>
    None,

    /// <summary>The one who asked.</summary>
    Won,

    /// <summary>Somebody who asked before.</summary>
    Taken,
}
