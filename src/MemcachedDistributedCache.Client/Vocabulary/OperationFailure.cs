namespace MemcachedDistributedCache.Vocabulary;

/// <summary>Why an operation has no answer. Immutable, so that one may serve many callers.</summary>
/// <param name="Reason">The kind of failure.</param>
/// <param name="Node">The server that gave none.</param>
/// <param name="WasSent">Whether any byte of the request may have reached the server.</param>
/// <param name="Cause">What broke the connection, if something did.</param>
internal sealed record OperationFailure(MemcachedFailureReason Reason, IFailedNode Node, bool WasSent, Exception? Cause = null)
{
    /// <summary>The server's address as configured.</summary>
    public string Server => Node.Server;

    /// <summary>The server's words, or the cause why it cannot be used, where that is known; without a key or a value.</summary>
    public string? Detail { get; init; }

    /// <summary>It was told at once, and nothing was tried.</summary>
    public bool IsRefusal { get; init; }

    /// <summary>How long it took until it failed, where that is known to be other than the limit of an attempt.</summary>
    public TimeSpan? Took { get; init; }
}

/// <summary>The server of a failed operation.</summary>
internal interface IFailedNode
{
    /// <summary>The server's address as configured.</summary>
    string Server { get; }

    /// <summary>How long until the server is tried again; null while it is not down.</summary>
    TimeSpan? RetryAfter { get; }

    /// <summary>Counts an attempt that is made again.</summary>
    void AddRetry();
}
