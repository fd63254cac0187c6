namespace MemcachedDistributedCache.Cluster;

/// <summary>The nodes and the ring that shares the keys among them; immutable, and swapped whole.</summary>
internal sealed class Topology
{
    private readonly Node[] _nodes;
    private readonly HashRing? _ring;

    public Topology(Node[] nodes)
    {
        _nodes = nodes;
        _ring = nodes.Length > 1 ? new HashRing([.. nodes.Select(static n => (n.Address.ToString(), n.Weight))]) : null;
    }

    /// <summary>All nodes.</summary>
    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>The node that owns a hash.</summary>
    public Node NodeOf(uint hash) => _nodes[_ring?.Find(hash) ?? 0];
}
