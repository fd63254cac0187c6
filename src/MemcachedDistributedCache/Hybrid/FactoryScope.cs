namespace MemcachedDistributedCache.Hybrid;

/// <summary>How a factory came to run, and so what may wait for it.</summary>
internal enum FactoryKind : byte
{
    /// <summary>For a single flight: whoever asks for the same in this process joins it, and waits.</summary>
    SingleFlight,

    /// <summary>For a batch, which nobody joins.</summary>
    Batch,

    /// <summary>For an entry that is there already, so that nobody waits.</summary>
    Refresh,
}

/// <summary>
/// A factory that runs, for whatever is asked from within it. It is bound to the flow of calls (<see cref="AsyncLocal{T}"/>),
/// across <c>Task.Run</c> too, and is looked at after a local miss only. So a factory that asks for its own key does not wait for
/// the lease that it holds, and one that would wait for itself is told. A task that the factory has left behind is no longer within
/// it once the factory has ended.
/// </summary>
internal sealed class FactoryScope : IDisposable
{
    private static readonly AsyncLocal<FactoryScope?> Innermost = new();
    private readonly HybridContext _cache;
    private readonly FactoryKind _kind;
    private readonly SingleFlightKey _first;
    private readonly FactoryScope? _outer;
    private readonly ISingleFlight? _singleFlight;
    private readonly IReadOnlyList<string>? _keys;
    private HashSet<string>? _keySet;
    private volatile bool _hasEnded;

    private FactoryScope(
        HybridContext cache,
        FactoryKind kind,
        SingleFlightKey first,
        IReadOnlyList<string>? keys,
        ISingleFlight? singleFlight)
    {
        _cache = cache;
        _kind = kind;
        _first = first;
        _keys = keys;
        _singleFlight = singleFlight;
        _outer = Current;
        Innermost.Value = this;
    }

    /// <summary>The innermost factory that this flow of calls is in, of whatever cache; null outside of factories.</summary>
    public static FactoryScope? Current
    {
        get
        {
            FactoryScope? scope = Innermost.Value;
            while (scope is { _hasEnded: true })
            {
                scope = scope._outer;
            }

            return scope;
        }
    }

    /// <summary>Enters a factory. To be called in an asynchronous method, at whose end the flow leaves it by itself.</summary>
    public static FactoryScope Enter(HybridContext cache, FactoryKind kind, SingleFlightKey key, ISingleFlight? singleFlight = null)
        => new(cache, kind, key, null, singleFlight);

    /// <summary>Enters the factory of a batch, which makes many keys at once.</summary>
    public static FactoryScope Enter(HybridContext cache, SingleFlightKey first, IReadOnlyList<string> keys)
        => new(cache, FactoryKind.Batch, first, keys, null);

    /// <summary>The factory has ended; what it has left behind is within it no more.</summary>
    public void Dispose() => _hasEnded = true;

    /// <summary>
    /// A factory around this call makes the key, in another way than the one that is asked for: then its lease is not to be
    /// waited for.
    /// </summary>
    /// <exception cref="InvalidOperationException">The call would wait for itself.</exception>
    public bool Holds(HybridContext cache, SingleFlightKey asked, FactoryKind kind)
    {
        bool holds = false;
        for (FactoryScope? scope = this; scope is not null; scope = scope._outer)
        {
            if (scope._hasEnded || scope._cache != cache || !scope.Makes(asked.Key))
            {
                continue;
            }

            if (scope._kind == kind && kind != FactoryKind.Refresh && scope._first.Flags == asked.Flags && scope._first.Type == asked.Type)
            {
                throw new InvalidOperationException(
                    "A factory asks the cache, directly or by the factory of another key, for the key that it makes, so that it would wait for itself. "
                    + "Let the factory make the value without asking the cache for this key. The exception's Data[\"Key\"] tells the key.")
                {
                    Data = { ["Key"] = asked.Key },
                };
            }

            holds = true;
        }

        return holds;
    }

    /// <summary>
    /// Notes that the single flight around this call waits for another; false if that one waits for this one already, and neither
    /// would ever end.
    /// </summary>
    public bool TryAwait(ISingleFlight other) => SingleFlightOf is not { } own || SingleFlightWaits.TryAdd(own, other);

    /// <summary>The wait is over.</summary>
    public void EndAwait(ISingleFlight other)
    {
        if (SingleFlightOf is { } own)
        {
            SingleFlightWaits.Remove(own, other);
        }
    }

    private ISingleFlight? SingleFlightOf => _singleFlight ?? _outer?.SingleFlightOf;

    private bool Makes(string key)
        => _keys is null ? key == _first.Key : (_keySet ??= [.. _keys]).Contains(key);
}

/// <summary>
/// Which single flights wait for which, where a factory has asked for another key. Two flows may each hold what the other asks for;
/// the one that would close the circle makes the value for itself. Only calls from within factories come here.
/// </summary>
internal static class SingleFlightWaits
{
    private static readonly Lock Sync = new();
    private static readonly Dictionary<ISingleFlight, List<ISingleFlight>> Waits = new(ReferenceEqualityComparer.Instance);

    /// <summary>Adds a wait, unless it would close a circle.</summary>
    public static bool TryAdd(ISingleFlight from, ISingleFlight to)
    {
        lock (Sync)
        {
            if (Reaches_NeedsLock(to, from))
            {
                return false;
            }

            if (!Waits.TryGetValue(from, out List<ISingleFlight>? others))
            {
                Waits[from] = others = [];
            }

            others.Add(to);
            return true;
        }
    }

    /// <summary>Takes a wait out.</summary>
    public static void Remove(ISingleFlight from, ISingleFlight to)
    {
        lock (Sync)
        {
            if (Waits.TryGetValue(from, out List<ISingleFlight>? others) && others.Remove(to) && others.Count == 0)
            {
                Waits.Remove(from);
            }
        }
    }

    private static bool Reaches_NeedsLock(ISingleFlight start, ISingleFlight end)
    {
        if (start == end)
        {
            return true;
        }

        if (Waits.Count == 0)
        {
            return false;
        }

        var seen = new HashSet<ISingleFlight>(ReferenceEqualityComparer.Instance) { start };
        var open = new Stack<ISingleFlight>([start]);
        while (open.TryPop(out ISingleFlight? at))
        {
            foreach (ISingleFlight next in Waits.GetValueOrDefault(at) ?? [])
            {
                if (next == end)
                {
                    return true;
                }

                if (seen.Add(next))
                {
                    open.Push(next);
                }
            }
        }

        return false;
    }
}
