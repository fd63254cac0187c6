using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// Tells leases from empty items that never end, where the server does not tell the time to live (classic commands). Whoever holds a
/// lease stores it anew long before its time is over, which changes its CAS, and the lease of a holder that died ends. So an empty item
/// that keeps its CAS for longer is nobody's. A fixed table without locks; two leases that share a place are told later, not wrongly.
/// </summary>
/// <param name="limit">For how long a lease may keep its CAS.</param>
/// <param name="ioTime">The clock of time limits.</param>
internal sealed class UntimedLeases(TimeSpan limit, TimeProvider ioTime)
{
    private const int Places = 256;
    private readonly Sighting?[] _seen = new Sighting?[Places];

    /// <summary>Notes an empty item that was read; true if it has been there for too long to be a lease.</summary>
    public bool IsNobodys(byte[] key, CasToken item)
    {
        int hash = KeyedKeyComparer.Instance.GetHashCode(key);
        ref Sighting? place = ref _seen[(uint)hash % Places];
        if (Volatile.Read(ref place) is { } before && before.Item == item && before.KeyHash == hash)
        {
            return ioTime.GetElapsedTime(before.Since) > limit;
        }

        Volatile.Write(ref place, new Sighting(item, hash, ioTime.GetTimestamp()));
        return false;
    }

    private sealed record Sighting(CasToken Item, int KeyHash, long Since);
}
