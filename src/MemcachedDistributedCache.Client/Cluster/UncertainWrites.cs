using System.Collections.Concurrent;
using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// The keys of one node whose last write or removal may not have happened: what the server has under them is not to be read. Bounded; once
/// there are too many, the whole node is uncertain instead (<see cref="AreAllUncertain"/>).
/// </summary>
/// <param name="maximum">How many keys are remembered.</param>
/// <param name="fence">Told from where on the server is believed again after all was uncertain.</param>
internal sealed class UncertainWrites(int maximum, NodeFence fence)
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<byte[], UncertainWrite> _keys = new(KeyedKeyComparer.Instance);
    private long _versions;
    private int _count;
    private bool _isFull;
    private bool _needsGrace;
    private bool _areAllUncertain;

    /// <summary>How many keys are uncertain by themselves.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Tells the newest uncertain write from all before it.</summary>
    public long LastVersion => Volatile.Read(ref _versions);

    /// <summary>Whether there were more than can be remembered, so that every key is uncertain.</summary>
    public bool AreAllUncertain => Volatile.Read(ref _areAllUncertain);

    /// <summary>Whether no key is uncertain; all that a read costs while nothing is wrong.</summary>
    public bool IsEmpty => Volatile.Read(ref _count) == 0 && !AreAllUncertain;

    /// <summary>Whether a key is not to be read.</summary>
    public bool Contains(ReadOnlySpan<byte> key)
        => AreAllUncertain || _keys.GetAlternateLookup<ReadOnlySpan<byte>>().ContainsKey(key) || AreAllUncertain; // again: it may have just taken the single keys' place

    /// <summary>Remembers a key; true if that was the first one too many.</summary>
    /// <param name="key">The key on the wire.</param>
    /// <param name="mayOvertakeRemoval">Whether the write was sent, so that the server may yet act on it.</param>
    public bool Add(ReadOnlySpan<byte> key, bool mayOvertakeRemoval)
    {
        byte[] copy = key.ToArray();
        lock (_lock)
        {
            if (_isFull)
            {
                // It is covered by the fence to come, if that is found when its request has surely been made or lost.
                _needsGrace = true;
                return false;
            }

            bool known = _keys.TryGetValue(copy, out UncertainWrite before);
            if (!known && _count >= maximum)
            {
                _isFull = true;
                _needsGrace = true;
                Volatile.Write(ref _areAllUncertain, true);
                return true;
            }

            _keys[copy] = new UncertainWrite(++_versions, mayOvertakeRemoval || (known && before.MayOvertakeRemoval));
            Volatile.Write(ref _count, _count + (known ? 0 : 1));
            return false;
        }
    }

    /// <summary>Makes every key uncertain.</summary>
    /// <param name="needsGrace">Whether requests may be on their way that the fence has to come after.</param>
    public void MarkAllUncertain(bool needsGrace = true)
    {
        lock (_lock)
        {
            _isFull = true;
            _needsGrace |= needsGrace;
            Volatile.Write(ref _areAllUncertain, true);
        }
    }

    /// <summary>
    /// Makes every key uncertain of a server that takes another's place. Whoever found its key not uncertain before may have a request wait for that very server,
    /// so what is answered counts as well: the fence that there is stands for the other's numbers.
    /// </summary>
    public void MarkNewServerUncertain()
    {
        lock (_lock)
        {
            MarkAllUncertain();
            fence.Value = NodeFence.Unknown;
        }
    }

    /// <summary>All uncertain writes of this moment.</summary>
    public KeyValuePair<byte[], UncertainWrite>[] Snapshot() => _keys.ToArray();

    /// <summary>Ends an uncertain write, unless the key has come under a newer one.</summary>
    public bool Clear(KeyValuePair<byte[], UncertainWrite> entry)
    {
        lock (_lock)
        {
            bool cleared = _keys.TryRemove(entry);
            Volatile.Write(ref _count, _count - (cleared ? 1 : 0));
            return cleared;
        }
    }

    /// <summary>
    /// Forgets the single keys, while all are uncertain, and begins to remember anew: what fails from now on may happen after the fence that is
    /// about to be found.
    /// </summary>
    /// <returns>Whether requests may be on their way that the fence has to come after.</returns>
    public bool BeginAnew()
    {
        lock (_lock)
        {
            // The single keys that are forgotten may be of such requests.
            bool needsGrace = _needsGrace || _count != 0;
            _keys.Clear();
            Volatile.Write(ref _count, 0);
            _isFull = false;
            _needsGrace = false;
            return needsGrace;
        }
    }

    /// <summary>Settles the whole node; false if it has come under a new one since <see cref="BeginAnew"/>.</summary>
    /// <param name="cas">The number (CAS) of what the server stored last before it is believed again.</param>
    public bool TrySettleAll(ulong cas)
    {
        lock (_lock)
        {
            if (_isFull)
            {
                return false;
            }

            fence.Value = cas;
            Volatile.Write(ref _areAllUncertain, false);
            return true;
        }
    }

    /// <summary>Takes back a fence that is the server's no more, unless it has another by now.</summary>
    public void OpenFence(ulong cas)
    {
        lock (_lock)
        {
            if (fence.Value == cas && !_areAllUncertain)
            {
                fence.Value = 0;
            }
        }
    }

    /// <summary>Why a key is uncertain.</summary>
    /// <param name="Version">Tells it from an earlier uncertain write of the same key.</param>
    /// <param name="MayOvertakeRemoval">Whether a request is on its way that the server may yet act on.</param>
    internal readonly record struct UncertainWrite(long Version, bool MayOvertakeRemoval);
}
