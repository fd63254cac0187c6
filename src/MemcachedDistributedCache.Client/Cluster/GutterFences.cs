using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// For one node, what the items of each other are to be newer than to be read in its place. Written under the lock of
/// <see cref="Gutter"/>.
/// </summary>
internal sealed class GutterFences(IClusterNode node)
{
    private Dictionary<IClusterNode, CasFence> _fences = [];

    /// <summary>The fence at a gutter node; null where the node is not down, or was when that was not there.</summary>
    public CasFence? Find(IClusterNode gutterNode) => Volatile.Read(ref _fences).GetValueOrDefault(gutterNode);

    /// <summary>The node is up: nothing is read in its place.</summary>
    public void Clear() => Volatile.Write(ref _fences, []);

    /// <summary>Has a fence for each other node; a new one lets nothing pass until it is renewed.</summary>
    public void Cover(IEnumerable<IClusterNode> nodes)
        => Volatile.Write(
            ref _fences,
            nodes.Where(other => other != node).ToDictionary(static other => other, other => Find(other) ?? CasFence.NewClosed()));
}
