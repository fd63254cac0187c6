using System.Collections.Concurrent;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The single flights under way.</summary>
internal sealed class SingleFlightTable
{
    private readonly ConcurrentDictionary<SingleFlightKey, ISingleFlight> _singleFlights = new();
    private readonly ConcurrentDictionary<ISingleFlight, byte> _alone = new();

    /// <summary>How many there are.</summary>
    public int Count => _singleFlights.Count + _alone.Count;

    /// <summary>
    /// Joins the single flight of a key, or puts a new one in its place: where there is none, or where the one there is began
    /// before the key was changed or a tag invalidated by this process, so that it may bring what must not be seen any more.
    /// </summary>
    /// <returns>The single flight, and whether the caller has to start it.</returns>
    public (SingleFlight<T> SingleFlight, bool IsNew) Enter<T>(
        SingleFlightKey key,
        ChangeCounts now,
        bool mayEndEarly,
        CancellationToken firstCaller)
    {
        SingleFlight<T>? created = null;
        while (true)
        {
            if (_singleFlights.TryGetValue(key, out ISingleFlight? found))
            {
                var existing = (SingleFlight<T>)found;
                if (existing.Began == now && existing.TryJoin())
                {
                    return (existing, false);
                }

                created ??= new SingleFlight<T>(key, now, mayEndEarly) { FirstCaller = firstCaller };
                if (_singleFlights.TryUpdate(key, created, existing))
                {
                    KeepAlone(existing);
                    return (created, true);
                }
            }
            else
            {
                created ??= new SingleFlight<T>(key, now, mayEndEarly) { FirstCaller = firstCaller };
                if (_singleFlights.TryAdd(key, created))
                {
                    return (created, true);
                }
            }
        }
    }

    /// <summary>A single flight that nobody joins.</summary>
    public SingleFlight<T> Add<T>(SingleFlight<T> singleFlight)
    {
        _alone[singleFlight] = 0;
        return singleFlight;
    }

    /// <summary>
    /// Keeps a single flight whose place another has taken, so that it is cancelled with the rest; unless it has ended meanwhile.
    /// </summary>
    private void KeepAlone<T>(SingleFlight<T> replaced)
    {
        _alone[replaced] = 0;
        Interlocked.MemoryBarrier();
        if (replaced.HasEnded)
        {
            _alone.TryRemove(replaced, out _);
        }
    }

    /// <summary>Takes a single flight out that has ended.</summary>
    public void Leave<T>(SingleFlight<T> singleFlight)
    {
        singleFlight.End();
        Interlocked.MemoryBarrier();
        if (!_singleFlights.TryRemove(new KeyValuePair<SingleFlightKey, ISingleFlight>(singleFlight.Key, singleFlight)))
        {
            _alone.TryRemove(singleFlight, out _);
        }
    }

    /// <summary>Cancels all of them.</summary>
    public void AbortAll()
    {
        foreach (ISingleFlight singleFlight in _singleFlights.Values.Concat(_alone.Keys))
        {
            singleFlight.Abort();
        }
    }
}
