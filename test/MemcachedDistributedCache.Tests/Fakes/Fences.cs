using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Consistency;

namespace MemcachedDistributedCache.Tests.Fakes;

internal static class Fences
{
    /// <summary>Sets the fence of the whole node as if the server had told this number; 0 opens it.</summary>
    public static void SetFence(this Node node, ulong cas)
    {
        CasFence fence = node.Consistency.Fences.WholeNode;
        fence.Close_NeedsLock(ask: true);
        fence.Settle_NeedsLock(fence.Version, Math.Max(cas, 1));
        if (cas == 0)
        {
            fence.RequireCheck_NeedsLock();
            fence.Settle_NeedsLock(fence.Version, 0);
        }
    }
}
