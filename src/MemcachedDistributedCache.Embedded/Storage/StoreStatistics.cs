namespace MemcachedDistributedCache.Embedded.Storage;

/// <summary>The counters that <c>stats</c> reports and <c>stats reset</c> clears; guarded by the store's gate.</summary>
internal sealed class StoreStatistics
{
    public long CmdGet;
    public long CmdSet;
    public long CmdFlush;
    public long CmdTouch;
    public long CmdMeta;
    public long GetHits;
    public long GetMisses;
    public long GetExpired;
    public long GetFlushed;
    public long DeleteMisses;
    public long DeleteHits;
    public long IncrMisses;
    public long IncrHits;
    public long DecrMisses;
    public long DecrHits;
    public long CasMisses;
    public long CasHits;
    public long CasBadValue;
    public long TouchHits;
    public long TouchMisses;
    public long StoreTooLarge;
    public long StoreNoMemory;
    public long TotalItems;
    public long Evictions;
    public long EvictedUnfetched;
    public long Reclaimed;
    public long ExpiredUnfetched;

    private readonly SlabClassStatistics?[] _classes = new SlabClassStatistics?[SlabClasses.Count + 1];

    /// <summary>The counters of one slab class, from 1.</summary>
    public SlabClassStatistics OfClass(int slabClass) => _classes[slabClass] ??= new SlabClassStatistics();

    /// <summary>The classes that have counters.</summary>
    public IEnumerable<int> CountedClasses => Enumerable.Range(0, _classes.Length).Where(slabClass => _classes[slabClass] is not null);
}

/// <summary>The numbers that <c>stats items</c> reports of one slab class.</summary>
internal sealed class SlabClassStatistics
{
    public long Evicted;
    public long EvictedNonzero;
    public long EvictedTime;
    public long EvictedUnfetched;
    public long OutOfMemory;
    public long Reclaimed;
    public long ExpiredUnfetched;
}
