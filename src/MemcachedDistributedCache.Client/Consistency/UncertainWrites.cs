using System.Collections.Concurrent;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Consistency;

/// <summary>
/// The keys of one node whose last write or removal may not have happened, or may yet happen: what the server has under
/// them is not read. Bounded; once there are too many, every key of the node is uncertain instead, by the closed fence
/// of the whole node. Reads look at one counter while nothing is wrong; all changes are made under one lock.
/// </summary>
/// <param name="maximum">How many keys are remembered.</param>
/// <param name="fences">Keeps the fence of the whole node.</param>
internal sealed class UncertainWrites(int maximum, FenceKeeper fences)
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<byte[], UncertainWrite> _keys = new(KeyedKeyComparer.Instance);
    private long _versions;
    private int _count;
    private bool _isFull;

    /// <summary>How many keys are remembered.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Tells the newest uncertain write from all before it.</summary>
    public long LastVersion => Volatile.Read(ref _versions);

    /// <summary>Every key is uncertain.</summary>
    public bool AreAllUncertain => fences.WholeNode.IsClosed;

    /// <summary>There were more keys than can be remembered, and none is remembered until <see cref="BeginAnew"/>.</summary>
    public bool IsFull => Volatile.Read(ref _isFull);

    /// <summary>No key is uncertain; all that a read costs while nothing is wrong.</summary>
    public bool IsEmpty => Count == 0 && !AreAllUncertain;

    /// <summary>A key is not to be read.</summary>
    public bool Contains(ReadOnlySpan<byte> key)
        => AreAllUncertain || _keys.GetAlternateLookup<ReadOnlySpan<byte>>().ContainsKey(key) || AreAllUncertain; // again: all may have just become uncertain in place of the single keys

    /// <summary>Remembers a key; true if that was the first one too many.</summary>
    /// <param name="key">The key on the wire.</param>
    /// <param name="mayOvertakeRemoval">The write was sent, and the server may act on it after a removal that is sent from now on.</param>
    /// <param name="settledBy">Which later change tells what the key holds; see <see cref="SettlingConnection"/>.</param>
    /// <param name="recordedAt">The time, as a timestamp.</param>
    public bool Add(ReadOnlySpan<byte> key, bool mayOvertakeRemoval, long settledBy, long recordedAt = 0)
    {
        byte[] copy = key.ToArray();
        lock (_lock)
        {
            if (_isFull)
            {
                // The fence to come covers the key: it is renewed when the request has surely been made or lost.
                return false;
            }

            bool known = _keys.TryGetValue(copy, out UncertainWrite before);
            if (!known && _count >= maximum)
            {
                MarkAll_NeedsLock();
                return true;
            }

            if (known)
            {
                mayOvertakeRemoval |= before.MayOvertakeRemoval;
                settledBy = SettlingConnection.OfBoth(before.SettledBy, settledBy);
            }

            _keys[copy] = new UncertainWrite(_versions + 1, mayOvertakeRemoval, settledBy, recordedAt);
            Volatile.Write(ref _versions, _versions + 1);
            Volatile.Write(ref _count, _count + (known ? 0 : 1));
            return false;
        }
    }

    /// <summary>Makes every key uncertain, until a fence has been renewed after all requests that are on their way.</summary>
    public void MarkAll()
    {
        lock (_lock)
        {
            MarkAll_NeedsLock();
        }
    }

    /// <summary>All uncertain writes of this moment.</summary>
    public KeyValuePair<byte[], UncertainWrite>[] Snapshot() => _keys.ToArray();

    /// <summary>The key still has this uncertain write, and no newer one.</summary>
    public bool IsCurrent(KeyValuePair<byte[], UncertainWrite> write) => _keys.TryGetValue(write.Key, out UncertainWrite now) && now == write.Value;

    /// <summary>Ends an uncertain write, unless the key has a newer one.</summary>
    public bool Clear(KeyValuePair<byte[], UncertainWrite> write)
    {
        lock (_lock)
        {
            bool cleared = _keys.TryRemove(write);
            Volatile.Write(ref _count, _count - (cleared ? 1 : 0));
            return cleared;
        }
    }

    /// <summary>
    /// A change of a key was answered: what the key holds is known, if the change began after the uncertain write was
    /// recorded, and the server acts on both in their order.
    /// </summary>
    /// <param name="key">The key on the wire.</param>
    /// <param name="begunAt"><see cref="LastVersion"/> when the change began.</param>
    /// <param name="connection">The connection that it went by.</param>
    public void Settle(ReadOnlySpan<byte> key, long begunAt, long connection)
    {
        lock (_lock)
        {
            ConcurrentDictionary<byte[], UncertainWrite>.AlternateLookup<ReadOnlySpan<byte>> keys = _keys.GetAlternateLookup<
                ReadOnlySpan<byte>
            >();
            if (keys.TryGetValue(key, out UncertainWrite write)
                && write.Version <= begunAt
                && SettlingConnection.Settles(write.SettledBy, connection)
                && keys.TryRemove(key, out _))
            {
                Volatile.Write(ref _count, _count - 1);
            }
        }
    }

    /// <summary>
    /// Forgets the single keys, while all are uncertain, and begins to remember anew: what fails from now on may happen
    /// after the fence has been renewed.
    /// </summary>
    public void BeginAnew()
    {
        lock (_lock)
        {
            _keys.Clear();
            Volatile.Write(ref _count, 0);
            Volatile.Write(ref _isFull, false);
        }
    }

    /// <summary>Renews the fence of the whole node; false if there have been too many keys again since <see cref="BeginAnew"/>.</summary>
    public bool TryRenewFence()
    {
        lock (_lock)
        {
            if (_isFull)
            {
                return false;
            }

            fences.Renew(fences.WholeNode);
            return true;
        }
    }

    private void MarkAll_NeedsLock()
    {
        Volatile.Write(ref _isFull, true);
        fences.Close(fences.WholeNode);
    }

    /// <summary>Why a key is uncertain.</summary>
    /// <param name="Version">Tells it from an earlier uncertain write of the same key.</param>
    /// <param name="MayOvertakeRemoval">A request is on its way that the server may act on after a removal that is sent now.</param>
    /// <param name="SettledBy">Which later change tells what the key holds.</param>
    /// <param name="RecordedAt">When it was recorded, as a timestamp.</param>
    internal readonly record struct UncertainWrite(long Version, bool MayOvertakeRemoval, long SettledBy, long RecordedAt);
}
