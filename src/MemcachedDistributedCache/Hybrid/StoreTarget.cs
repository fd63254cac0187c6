using System.Runtime.InteropServices;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Where a new value is kept.</summary>
internal enum StoreTarget : byte
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>In the cluster, and in the local cache if the cluster has taken it.</summary>
    Both,

    /// <summary>In the local cache: the caller wants it nowhere else.</summary>
    Local,

    /// <summary>
    /// In the local cache, because the cluster cannot be asked; the copy is held against the cluster as soon as the cluster can be
    /// asked.
    /// </summary>
    LocalUntilSeen,

    /// <summary>In the cluster if it is not too large; else in the local cache, under the mark that is in the cluster already.</summary>
    Marked,
}

/// <summary>By which right a value is made, and so where it is kept.</summary>
/// <param name="Target">Where the value is kept.</param>
/// <param name="Lease">The right to make it; null where there is none to be had.</param>
/// <param name="Over">The state that the value may replace; null for the lease's own.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Claim(StoreTarget Target, Lease? Lease = null, CasToken? Over = null)
{
    /// <summary>Gives the lease back, if there is one; false if it was lost before.</summary>
    public async Task<bool> ReleaseAsync() => Lease is null || await Lease.ReleaseAsync().ConfigureAwait(false);
}
