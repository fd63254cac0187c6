namespace MemcachedDistributedCache;

/// <summary>An operation of the client ended in another way than its caller asked for, and the caller wanted an exception.</summary>
public sealed class MemcachedOutcomeException : Exception
{
    internal MemcachedOutcomeException(MemcachedOutcome outcome, MemcachedFailure? failure)
        : base($"The operation on memcached ended as {MemcachedFailure.Describe(outcome, failure)}.", failure?.Cause)
    {
        Outcome = outcome;
        Failure = failure;
    }

    /// <summary>How it ended.</summary>
    public MemcachedOutcome Outcome { get; }

    /// <summary>The server's words, if it said something.</summary>
    public MemcachedFailure? Failure { get; }

    /// <summary>The exception for an outcome that its caller does not want.</summary>
    internal static Exception Of(MemcachedOutcome outcome, MemcachedFailure? failure)
        => outcome is MemcachedOutcome.Unavailable or MemcachedOutcome.Unknown && failure is not null
            ? new MemcachedUnavailableException(failure)
            : new MemcachedOutcomeException(outcome, failure);
}
