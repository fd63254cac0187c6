namespace MemcachedDistributedCache.Testing;

/// <summary>The operations of many callers on one key, which are few enough to be checked.</summary>
/// <param name="key">The key.</param>
/// <param name="numbers">True for a key that holds numbers.</param>
public sealed class KeyHistory(string key, bool numbers)
{
    private const int MostOperations = 60;

    /// <summary>A set that was answered within was not sent again.</summary>
    private static readonly TimeSpan QuickAnswer = TimeSpan.FromMilliseconds(5);

    private readonly Lock _lock = new();
    private readonly List<Linearizability.Operation> _operations = [];
    private int _begun;

    /// <summary>The key.</summary>
    public string Key => key;

    /// <summary>The key holds numbers.</summary>
    public bool Numbers => numbers;

    /// <summary>The operations, in the order in which they ended.</summary>
    public IReadOnlyList<Linearizability.Operation> Operations => _operations;

    /// <summary>Takes a place for one more operation; false where the key has had as many as can be checked.</summary>
    public bool TryBegin() => Interlocked.Increment(ref _begun) <= MostOperations;

    /// <summary>Asks a client and remembers what came of it.</summary>
    public async Task<ModelAnswer> AskAsync(IMemcachedClient client, ModelCall call, bool blocking)
    {
        long begin = TimeProvider.System.GetTimestamp();
        ModelAnswer answer = await call.AskAsync(client, key, blocking);
        long end = TimeProvider.System.GetTimestamp();
        lock (_lock)
        {
            _operations.Add(new(begin, answer.Outcome == MemcachedOutcome.Unknown ? long.MaxValue : end, call, answer));
            bool isSet = call.Verb == ModelVerb.Set && answer.Outcome == MemcachedOutcome.Success;
            if (isSet && TimeProvider.System.GetElapsedTime(begin, end) > QuickAnswer)
            {
                // A set may have been sent twice, and so may have been there twice before it ended.
                _operations.Add(new(begin, end, call, new ModelAnswer(MemcachedOutcome.Unknown)));
            }
        }

        return answer;
    }

    /// <summary>All operations, for the message of a failure.</summary>
    public override string ToString() => $"{key}:\n" + string.Join('\n', _operations.OrderBy(static o => o.Begin));
}
