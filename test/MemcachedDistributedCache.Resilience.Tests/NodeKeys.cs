using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Finds keys by the node that owns them, without knowing how they are placed: whoever counts a read was asked.</summary>
internal static class NodeKeys
{
    /// <summary>So many numbers for each node, once all of them are up; nobody else may be reading.</summary>
    public static async Task<int[][]> FindAsync(MemcachedCache cache, Func<int, string> name, int perNode)
    {
        await cache.ReadableAsync();
        long[] reads = [.. cache.GetNodes().Select(Reads)];
        List<int>[] found = [.. reads.Select(_ => new List<int>())];
        for (int key = 0; found.Any(keys => keys.Count < perNode); key++)
        {
            Assert.True(key < 100 * perNode * reads.Length, "the keys are not spread over the nodes");
            await cache.GetAsync(name(key));
            IReadOnlyList<MemcachedNodeStatus> nodes = cache.GetNodes();
            int owner = Enumerable.Range(0, reads.Length).Single(node => Reads(nodes[node]) > reads[node]);
            reads[owner] = Reads(nodes[owner]);
            if (found[owner].Count < perNode)
            {
                found[owner].Add(key);
            }
        }

        return [.. found.Select(keys => keys.ToArray())];
    }

    private static long Reads(MemcachedNodeStatus node) => node.Hits + node.Misses;
}
