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
}
