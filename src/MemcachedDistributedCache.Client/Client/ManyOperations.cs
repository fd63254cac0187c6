using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Client;

/// <summary>Reads of many keys.</summary>
internal sealed class ManyReads<T>(MemcachedKey[] keys, ClientResults results, CancellationToken token) : IManyCalls
{
    private readonly MemcachedResult<T>[] _each = new MemcachedResult<T>[keys.Length];

    /// <summary>The results.</summary>
    public MemcachedResults<T> Results => new(keys, _each);

    /// <inheritdoc/>
    public int Count => keys.Length;

    /// <summary>Gives the result of a key away.</summary>
    public MemcachedResult<T> Take(int index)
    {
        MemcachedResult<T> result = _each[index];
        _each[index] = default;
        return result;
    }

    /// <inheritdoc/>
    public ClientCall Begin(int index) => new(ClientVerb.Get, keys[index], CallMode.Async, token) { Target = ClientResults.TargetOf<T>() };

    /// <inheritdoc/>
    public void Done(int index, in ClientCall call, in OperationResult result) => _each[index] = results.Value<T>(call, result);
}

/// <summary>Stores of many items.</summary>
internal sealed class ManyStores<T>(KeyValuePair<MemcachedKey, T>[] items, int timeToLive, IMemcachedSerializer serializer, CancellationToken token)
    : IManyCalls
{
    private readonly MemcachedResult[] _each = new MemcachedResult[items.Length];
    private readonly StoredBytes[] _stored = new StoredBytes[items.Length];

    /// <summary>The results.</summary>
    public MemcachedResults Results => new([.. items.Select(static item => item.Key)], _each);

    /// <inheritdoc/>
    public int Count => items.Length;

    /// <summary>The keys whose last value the server did not take, so that the older one has to go.</summary>
    public IEnumerable<MemcachedKey> KeysToClear()
    {
        if (!Array.Exists(_each, IsRefused))
        {
            return [];
        }

        var last = new Dictionary<MemcachedKey, int>();
        for (int i = 0; i < items.Length; i++)
        {
            last[items[i].Key] = i;
        }

        return last.Where(pair => IsRefused(_each[pair.Value])).Select(static pair => pair.Key);
    }

    private static bool IsRefused(MemcachedResult result) => result.Outcome is MemcachedOutcome.TooLarge or MemcachedOutcome.OutOfMemory;

    /// <inheritdoc/>
    public ClientCall Begin(int index)
    {
        _stored[index] = StoredBytes.Of(items[index].Value, serializer);
        return new ClientCall(ClientVerb.Set, items[index].Key, CallMode.Async, token)
        {
            Value = _stored[index].Bytes,
            Flags = _stored[index].Flags,
            TimeToLive = timeToLive,
        };
    }

    /// <inheritdoc/>
    public void Done(int index, in ClientCall call, in OperationResult result)
    {
        _stored[index].Dispose();
        _each[index] = ClientResults.Changed(call, result);
    }
}

/// <summary>Other changes of many keys.</summary>
internal sealed class ManyChanges(MemcachedKey[] keys, Func<MemcachedKey, ClientCall> callOf) : IManyCalls
{
    private readonly MemcachedResult[] _each = new MemcachedResult[keys.Length];

    /// <summary>The results.</summary>
    public MemcachedResults Results => new(keys, _each);

    /// <inheritdoc/>
    public int Count => keys.Length;

    /// <inheritdoc/>
    public ClientCall Begin(int index) => callOf(keys[index]);

    /// <inheritdoc/>
    public void Done(int index, in ClientCall call, in OperationResult result) => _each[index] = ClientResults.Changed(call, result);
}

/// <summary>Changes of many numbers.</summary>
internal sealed class ManyCounts(MemcachedKey[] keys, Func<MemcachedKey, ClientCall> callOf) : IManyCalls
{
    private readonly MemcachedResult<ulong>[] _each = new MemcachedResult<ulong>[keys.Length];

    /// <summary>The results.</summary>
    public MemcachedResults<ulong> Results => new(keys, _each);

    /// <inheritdoc/>
    public int Count => keys.Length;

    /// <inheritdoc/>
    public ClientCall Begin(int index) => callOf(keys[index]);

    /// <inheritdoc/>
    public void Done(int index, in ClientCall call, in OperationResult result) => _each[index] = ClientResults.Number(call, result);
}
