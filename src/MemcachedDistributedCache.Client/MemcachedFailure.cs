using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache;

/// <summary>Why an operation has no answer, or was refused.</summary>
public sealed class MemcachedFailure
{
    internal MemcachedFailure(OperationFailure failure)
    {
        Reason = failure.Reason;
        Server = failure.Server;
        WasSent = failure.WasSent;
        RetryAfter = failure.Node.RetryAfter;
        Detail = failure.Detail;
        Cause = failure.Cause;
    }

    /// <summary>The kind of failure.</summary>
    public MemcachedFailureReason Reason { get; }

    /// <summary>The server's address as configured, <c>host:port</c> or <c>unix:path</c>.</summary>
    public string Server { get; }

    /// <summary>Any byte of the request may have reached the server.</summary>
    public bool WasSent { get; }

    /// <summary>How long until the server is tried again, where it is down; null where it is not.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>The server's words, or why it cannot be used, where that is known. It has neither the key nor the value.</summary>
    public string? Detail { get; }

    /// <summary>The exception that broke the connection, if one did.</summary>
    public Exception? Cause { get; }

    /// <summary>The reason and the server.</summary>
    public override string ToString() => Detail is null ? $"{Reason} on {Server}" : $"{Reason} on {Server}: {Detail}";

    /// <summary>The words for an outcome.</summary>
    internal static string Describe(MemcachedOutcome outcome, MemcachedFailure? failure) => failure is null ? $"{outcome}" : $"{outcome} ({failure})";
}
