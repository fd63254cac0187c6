using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Finds keys by the node that owns them, without knowing how they are placed: whoever counts a miss was asked.</summary>
internal static class NodeKeys
{
    /// <summary>So many numbers for each node, all of whose nodes are up; keys that exist are left out.</summary>
    public static async Task<int[][]> FindAsync(MemcachedCache cache, Func<int, string> name, int perNode)
    {
        await cache.TrustedAsync();
        long[] misses = [.. cache.GetNodes().Select(node => node.Misses)];
        List<int>[] found = [.. misses.Select(_ => new List<int>())];
        for (int key = 0; found.Any(keys => keys.Count < perNode); key++)
        {
            Assert.True(key < 100 * perNode * misses.Length, "the keys are not spread over the nodes");
            if (await cache.GetAsync(name(key)) is not null)
            {
                continue; // of an earlier measurement
            }

            IReadOnlyList<MemcachedNodeStatus> nodes = cache.GetNodes();
            int owner = Enumerable.Range(0, misses.Length).Single(node => nodes[node].Misses > misses[node]);
            misses[owner] = nodes[owner].Misses;
            if (found[owner].Count < perNode)
            {
                found[owner].Add(key);
            }
        }

        return [.. found.Select(keys => keys.ToArray())];
    }
}
