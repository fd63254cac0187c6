using System.Diagnostics.CodeAnalysis;

namespace MemcachedDistributedCache;

/// <summary>How a change ended. Nothing that a server does is an exception; <see cref="EnsureSuccess"/> makes one for those who prefer it.</summary>
public readonly struct MemcachedResult
{
    internal MemcachedResult(MemcachedOutcome outcome, MemcachedFailure? failure = null, MemcachedCas cas = default)
    {
        Outcome = outcome;
        Failure = failure;
        Cas = cas;
    }

    /// <summary>How it ended.</summary>
    public MemcachedOutcome Outcome { get; }

    /// <summary>It was done.</summary>
    public bool IsSuccess => Outcome == MemcachedOutcome.Success;

    /// <summary>
    /// The state of the item that was stored. Not known after other changes, nor where another client has replaced the item before a
    /// server without meta commands could tell.
    /// </summary>
    public MemcachedCas Cas { get; }

    /// <summary>Why there is no answer, or what the server said; null where it did what it was asked.</summary>
    public MemcachedFailure? Failure { get; }

    /// <summary>Throws unless it was done.</summary>
    /// <exception cref="MemcachedUnavailableException">There is no answer.</exception>
    /// <exception cref="MemcachedOutcomeException">The answer is another one.</exception>
    public void EnsureSuccess()
    {
        if (!IsSuccess)
        {
            throw MemcachedOutcomeException.Of(Outcome, Failure);
        }
    }

    /// <summary>The outcome, and the failure if there is one.</summary>
    public override string ToString() => MemcachedFailure.Describe(Outcome, Failure);
}

/// <summary>How an operation ended that tells something, and what it tells.</summary>
/// <typeparam name="T">The type of what it tells.</typeparam>
public readonly struct MemcachedResult<T>
{
    private readonly T? _value;

    internal MemcachedResult(MemcachedOutcome outcome, T? value = default, MemcachedFailure? failure = null)
    {
        Outcome = outcome;
        _value = value;
        Failure = failure;
    }

    /// <summary>How it ended.</summary>
    public MemcachedOutcome Outcome { get; }

    /// <summary>It was found, or done.</summary>
    public bool IsSuccess => Outcome == MemcachedOutcome.Success;

    /// <summary>Why there is no answer, or what the server said; null where it did what it was asked.</summary>
    public MemcachedFailure? Failure { get; }

    /// <summary>What it tells.</summary>
    /// <exception cref="MemcachedUnavailableException">There is no answer.</exception>
    /// <exception cref="MemcachedOutcomeException">The answer is another one; that nothing was found, too.</exception>
    public T Value => IsSuccess ? _value! : throw MemcachedOutcomeException.Of(Outcome, Failure);

    /// <summary>What it tells, or the type's default value where it tells nothing.</summary>
    public T? ValueOrDefault => _value;

    /// <summary>Gives what it tells.</summary>
    /// <param name="value">That, or the type's default value.</param>
    /// <returns>Whether it tells something.</returns>
    public bool TryGetValue([MaybeNullWhen(false)] out T value)
    {
        value = _value;
        return IsSuccess;
    }

    /// <summary>What it tells; null or the type's default value where nothing was found.</summary>
    /// <exception cref="MemcachedUnavailableException">There is no answer.</exception>
    /// <exception cref="MemcachedOutcomeException">The answer is neither.</exception>
    public T? FoundOrDefault() => Outcome == MemcachedOutcome.NotFound ? default : Value;

    /// <summary>The outcome, and the failure if there is one. The value is not told.</summary>
    public override string ToString() => MemcachedFailure.Describe(Outcome, Failure);
}
