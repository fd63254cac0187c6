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

/// <summary>The outcome of an operation that gives a value, and the value.</summary>
/// <typeparam name="T">The type of the value.</typeparam>
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

    /// <summary>The value.</summary>
    /// <exception cref="MemcachedUnavailableException">There is no answer.</exception>
    /// <exception cref="MemcachedOutcomeException">The answer is another one; that nothing was found, too.</exception>
    public T Value => IsSuccess ? _value! : throw MemcachedOutcomeException.Of(Outcome, Failure);

    /// <summary>The value, or the type's default value where there is none.</summary>
    public T? ValueOrDefault => _value;

    /// <summary>Gives the value.</summary>
    /// <param name="value">The value, or the type's default value.</param>
    /// <returns>Whether there is a value.</returns>
    public bool TryGetValue([MaybeNullWhen(false)] out T value)
    {
        value = _value;
        return IsSuccess;
    }

    /// <summary>The value; null or the type's default value where nothing was found.</summary>
    /// <exception cref="MemcachedUnavailableException">There is no answer.</exception>
    /// <exception cref="MemcachedOutcomeException">The outcome is neither success nor <see cref="MemcachedOutcome.NotFound"/>.</exception>
    public T? FoundOrDefault() => Outcome == MemcachedOutcome.NotFound ? default : Value;

    /// <summary>The outcome, and the failure if there is one. The value is not told.</summary>
    public override string ToString() => MemcachedFailure.Describe(Outcome, Failure);
}
