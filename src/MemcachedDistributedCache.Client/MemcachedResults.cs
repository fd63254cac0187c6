using System.Collections;

namespace MemcachedDistributedCache;

/// <summary>How an operation on many keys ended, key by key, in the order in which the caller named them.</summary>
public sealed class MemcachedResults : IReadOnlyList<MemcachedResult>
{
    private readonly MemcachedResult[] _results;

    internal MemcachedResults(MemcachedKey[] keys, MemcachedResult[] results)
    {
        Keys = keys;
        _results = results;
    }

    /// <summary>The keys.</summary>
    public IReadOnlyList<MemcachedKey> Keys { get; }

    /// <summary>How many there are.</summary>
    public int Count => _results.Length;

    /// <summary>
    /// The keys of which no definite answer has come (<see cref="MemcachedOutcome.Unavailable"/>, <see cref="MemcachedOutcome.Unknown"/>), or
    /// that were refused, are too large or cannot be read. A key that was not found, or whose condition did not hold, is none of them.
    /// </summary>
    public IEnumerable<MemcachedKey> FailedKeys => Keys.Where((_, index) => IsFailure(_results[index].Outcome));

    /// <summary>The result of the key at this place.</summary>
    /// <param name="index">The place.</param>
    public MemcachedResult this[int index] => _results[index];

    internal static bool IsFailure(MemcachedOutcome outcome)
        => outcome is not (MemcachedOutcome.Success or MemcachedOutcome.NotFound or MemcachedOutcome.NotStored or MemcachedOutcome.Conflict);

    /// <inheritdoc/>
    public IEnumerator<MemcachedResult> GetEnumerator() => ((IEnumerable<MemcachedResult>)_results).GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>How an operation on many keys ended, key by key, in the order in which the caller named them.</summary>
/// <typeparam name="T">The type of what each tells.</typeparam>
public sealed class MemcachedResults<T> : IReadOnlyList<MemcachedResult<T>>
{
    private readonly MemcachedResult<T>[] _results;

    internal MemcachedResults(MemcachedKey[] keys, MemcachedResult<T>[] results)
    {
        Keys = keys;
        _results = results;
    }

    /// <summary>The keys.</summary>
    public IReadOnlyList<MemcachedKey> Keys { get; }

    /// <summary>How many there are.</summary>
    public int Count => _results.Length;

    /// <summary>The keys that tell something, and what.</summary>
    public IEnumerable<KeyValuePair<MemcachedKey, T>> Found
        => Keys.Zip(_results).Where(static pair => pair.Second.IsSuccess).Select(static pair => KeyValuePair.Create(pair.First, pair.Second.Value));

    /// <summary>The keys that were not found.</summary>
    public IEnumerable<MemcachedKey> MissingKeys => Keys.Where((_, index) => _results[index].Outcome == MemcachedOutcome.NotFound);

    /// <inheritdoc cref="MemcachedResults.FailedKeys"/>
    public IEnumerable<MemcachedKey> FailedKeys => Keys.Where((_, index) => MemcachedResults.IsFailure(_results[index].Outcome));

    /// <summary>The result of the key at this place.</summary>
    /// <param name="index">The place.</param>
    public MemcachedResult<T> this[int index] => _results[index];

    /// <inheritdoc/>
    public IEnumerator<MemcachedResult<T>> GetEnumerator() => ((IEnumerable<MemcachedResult<T>>)_results).GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
