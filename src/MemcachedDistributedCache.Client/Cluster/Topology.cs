using MemcachedDistributedCache.Consistency;
using System.Collections.Immutable;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// The nodes and the ring that shares the keys among them; immutable, and swapped whole. It knows the rings before it: a node that has come
/// to own a key may hold an item of it from a time when it owned it before, or was written to by others, and that is not to be read.
/// </summary>
internal sealed class Topology
{
    /// <summary>Changes that are remembered; past that nothing is read that is older than the last change.</summary>
    public const int MostMoves = 16;

    private readonly Node[] _nodes;
    private readonly HashRing? _ring;
    private readonly ImmutableArray<Move> _moves;

    public Topology(IReadOnlyList<Member> members, ImmutableArray<Move> moves)
    {
        Members = members;
        _nodes = [.. members.Select(static member => member.Node)];
        _ring = _nodes.Length > 1 ? new HashRing([.. members.Select(static member => (member.Node.Address.ToString(), member.Weight))]) : null;
        _moves = moves;
    }

    private Topology(Topology whole)
    {
        Members = whole.Members;
        _nodes = whole._nodes;
        _ring = whole._ring;
        _moves = [];
    }

    /// <summary>The nodes with their shares.</summary>
    public IReadOnlyList<Member> Members { get; }

    /// <summary>All nodes.</summary>
    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>The changes before this one, the latest first.</summary>
    public ImmutableArray<Move> Moves => _moves;

    /// <summary>The same without its past, and with the same ring: none is built twice.</summary>
    public Topology WithoutPast() => new(this);

    /// <summary>Both share the keys alike.</summary>
    public bool SharesLike(Topology other) => Members.Count == other.Members.Count && Members.ToHashSet().SetEquals(other.Members);

    /// <summary>The node that owns a hash; null where no server is known.</summary>
    public Node? NodeOf(uint hash) => _ring is not null ? _nodes[_ring.Find(hash)] : _nodes.Length == 0 ? null : _nodes[0];

    /// <summary>The way to the next node on the ring that is up; null where none is.</summary>
    public Route? GutterRouteOf(uint hash, Node owner)
    {
        // Without the first look every operation would walk the whole ring while all nodes are down.
        if (_ring is null || !Array.Exists(_nodes, static node => node.State == MemcachedNodeState.Up))
        {
            return null;
        }

        List<Node>? passed = null;
        int first = _ring.IndexOf(hash);
        for (int i = 0; i < _ring.Count; i++)
        {
            Node node = _nodes[_ring.OwnerAt(first + i)];
            if (node.State == MemcachedNodeState.Up)
            {
                return new Route(node, owner.GutterFences.Find(node) ?? CasFence.Closed, owner)
                {
                    MoreFences = passed is null ? null : FencesOf(passed, node),
                };
            }

            if (node != owner && passed?.Contains(node) != true)
            {
                (passed ??= []).Add(node);
            }
        }

        return null;
    }

    /// <summary>The fence that a hash's items on its owner must pass; null where the owner has had the hash from the beginning.</summary>
    public CasFence? FenceOf(uint hash, Node owner)
    {
        foreach (Move move in _moves)
        {
            if (move.Before.NodeOf(hash) != owner)
            {
                return move.Fences[owner];
            }
        }

        return null;
    }

    /// <summary>
    /// The demand of each node that was passed on a gutter node's items: nothing, if it has never been up, and so
    /// has never had the key.
    /// </summary>
    private static CasFence[] FencesOf(List<Node> passed, Node gutterNode)
        => [
            .. passed
                .Select(node => node.GutterFences.Find(gutterNode) ?? (node.State == MemcachedNodeState.Unknown ? null : CasFence.Closed))
                .OfType<CasFence>(),
        ];

    /// <summary>A node and its share of the keys in relation to the others', 1 to 100.</summary>
    internal sealed record Member(Node Node, int Weight);

    /// <summary>A change.</summary>
    /// <param name="Before">How it was; without its own past.</param>
    /// <param name="Fences">For each node of the time after, what it had stored until then.</param>
    internal sealed record Move(Topology Before, IReadOnlyDictionary<Node, CasFence> Fences);
}
