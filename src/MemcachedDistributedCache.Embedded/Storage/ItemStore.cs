namespace MemcachedDistributedCache.Embedded.Storage;

/// <summary>
/// One node's memory: items by key, in order of use, under a byte limit. Callers hold <see cref="Gate"/> around everything
/// else; connections take it once for a batch of commands, which costs less than a lock for each.
/// </summary>
internal sealed class ItemStore
{
    private readonly Dictionary<byte[], Item> _items = new(new ItemKeyComparer());
    private readonly Dictionary<byte[], Item>.AlternateLookup<ReadOnlySpan<byte>> _byKey;
    private Item? _newest;
    private Item? _oldest;
    private ulong _lastCas;
    private uint _flushTime;
    private ulong _flushCas;

    public ItemStore(TimeProvider time, long memoryLimit, int itemLimit, bool evict)
    {
        Clock = new StoreClock(time);
        MemoryLimit = memoryLimit;
        ItemLimit = itemLimit;
        Evicts = evict;
        _byKey = _items.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    public Lock Gate { get; } = new();

    public StoreClock Clock { get; }

    public StoreStatistics Statistics { get; private set; } = new();

    public long MemoryLimit { get; set; }

    public int ItemLimit { get; }

    public bool Evicts { get; }

    public long Bytes { get; private set; }

    /// <summary>
    /// The bytes of items whose data block is still arriving. It counts against the limit, as in memcached: a client that
    /// announces and does not send holds memory too.
    /// </summary>
    public long Reserved { get; private set; }

    public int Count => _items.Count;

    public Dictionary<byte[], Item>.ValueCollection Items => _items.Values;

    public ulong NextCas() => ++_lastCas;

    public void ResetStatistics() => Statistics = new StoreStatistics();

    /// <summary>The live item, without counting as a use; one that expired or was flushed is removed on the way.</summary>
    public Item? Find(ReadOnlySpan<byte> key, uint now)
    {
        if (!_byKey.TryGetValue(key, out Item? item))
        {
            return null;
        }

        if (IsFlushed(item, now))
        {
            Statistics.GetFlushed++;
            Unlink(item);
            return null;
        }

        if (IsExpired(item, now))
        {
            Statistics.GetExpired++;
            Unlink(item);
            return null;
        }

        return item;
    }

    /// <summary>Counts a fetch. As in memcached, the first one only marks the item; later ones renew its access time.</summary>
    public void Bump(Item item, uint now)
    {
        if (!item.Has(ItemMarks.Fetched))
        {
            item.Marks |= ItemMarks.Fetched;
            MoveToNewest(item);
            return;
        }

        Renew(item, now);
    }

    /// <summary>Renews the access time and the place in the order of use.</summary>
    public void Renew(Item item, uint now)
    {
        item.LastAccess = now;
        MoveToNewest(item);
    }

    public bool FitsAnItem(int bytes) => bytes <= ItemLimit;

    /// <summary>Memory for so many bytes can be had, by eviction where that is allowed.</summary>
    public bool CanHold(int bytes) => (Evicts ? 0 : Bytes) + Reserved + bytes <= MemoryLimit;

    /// <summary>
    /// Takes memory for an item that is to arrive, for which <see cref="CanHold"/> was asked. Makes room for it now, so
    /// that the whole never holds more than its limit.
    /// </summary>
    public void Reserve(int bytes, uint now)
    {
        MakeRoom(bytes, now);
        Reserved += bytes;
    }

    /// <summary>Gives that memory back: the item has arrived, and is linked next, or never will.</summary>
    public void Release(int bytes) => Reserved -= bytes;

    /// <summary>Puts a new item in and gives it its CAS; evicts the least recently used to make room.</summary>
    public void Link(Item item, uint now)
    {
        MakeRoom(item.TotalBytes, now);
        item.LastAccess = now;
        item.Linked = true;
        item.Cas = NextCas();
        _items.Add(item.Key, item);
        Bytes += item.TotalBytes;
        Statistics.TotalItems++;
        Attach(item);
    }

    public void Unlink(Item item)
    {
        if (!item.Linked)
        {
            return;
        }

        item.Linked = false;
        _items.Remove(item.Key);
        Bytes -= item.TotalBytes;
        Detach(item);
    }

    public void Replace(Item old, Item item, uint now)
    {
        Unlink(old);
        Link(item, now);
    }

    /// <summary>
    /// Flushes what is older than the moment named: now, or a second in the future (which also spoils what is stored
    /// until then).
    /// </summary>
    public void Flush(int delay, uint now)
    {
        Statistics.CmdFlush++;
        _flushTime = (delay > 0 ? Clock.Expiry(delay, now) : now) - 1;
        if (_flushTime <= now)
        {
            _flushCas = NextCas();
        }
    }

    private static bool IsExpired(Item item, uint now) => item.Expires != 0 && item.Expires <= now;

    private bool IsFlushed(Item item, uint now)
        => _flushTime != 0 && _flushTime <= now
            && (item.LastAccess <= _flushTime || (_flushCas != 0 && item.Cas != 0 && item.Cas < _flushCas));

    private void MakeRoom(int bytes, uint now)
    {
        while (Bytes + Reserved + bytes > MemoryLimit && _oldest is { } oldest)
        {
            Evict(oldest, now);
        }
    }

    private void Evict(Item item, uint now)
    {
        SlabClassStatistics ofClass = Statistics.OfClass(SlabClasses.ClassOf(item.TotalBytes));
        bool unfetched = !item.Has(ItemMarks.Fetched);
        if (IsExpired(item, now) || IsFlushed(item, now))
        {
            Statistics.Reclaimed++;
            Statistics.ExpiredUnfetched += unfetched ? 1 : 0;
            ofClass.Reclaimed++;
            ofClass.ExpiredUnfetched += unfetched ? 1 : 0;
        }
        else
        {
            Statistics.Evictions++;
            Statistics.EvictedUnfetched += unfetched ? 1 : 0;
            ofClass.Evicted++;
            ofClass.EvictedNonzero += item.Expires != 0 ? 1 : 0;
            ofClass.EvictedUnfetched += unfetched ? 1 : 0;
            ofClass.EvictedTime = now - item.LastAccess;
        }

        Unlink(item);
    }

    private void MoveToNewest(Item item)
    {
        if (item.Linked && item != _newest)
        {
            Detach(item);
            Attach(item);
        }
    }

    private void Attach(Item item)
    {
        item.Older = _newest;
        item.Newer = null;
        if (_newest is not null)
        {
            _newest.Newer = item;
        }

        _newest = item;
        _oldest ??= item;
    }

    private void Detach(Item item)
    {
        if (item.Newer is null)
        {
            _newest = item.Older;
        }
        else
        {
            item.Newer.Older = item.Older;
        }

        if (item.Older is null)
        {
            _oldest = item.Newer;
        }
        else
        {
            item.Older.Newer = item.Newer;
        }

        item.Newer = null;
        item.Older = null;
    }
}
