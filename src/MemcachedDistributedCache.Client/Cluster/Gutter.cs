using MemcachedDistributedCache.Consistency;
namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Keeps the nodes that are down, and sees to it that a node which serves in the place of another gives out nothing
/// that it held before: an item from an earlier outage may be older than what has been written since.
/// <para>
/// Each pair of a node that is down and one that is not has a fence of its own, found when the first went down. A
/// gutter node is found by passing all that are down before it on the ring, so an item must be above the fences of all
/// of them: it was then written since the last of them went, and in all that time the key has had no other place. One
/// fence for each gutter node would be found anew with every outage, and the second would empty what the cluster holds
/// for the first.
/// </para>
/// </summary>
internal sealed class Gutter(bool isEnabled) : IOutageListener
{
    private readonly Lock _lock = new();
    private readonly List<Node> _down = [];
    private Node[] _nodes = [];
    private int _count;

    /// <summary>A node is down in whose place another serves.</summary>
    public bool AreNeeded => Volatile.Read(ref _count) != 0;

    /// <inheritdoc/>
    public bool HasOthers => isEnabled && Volatile.Read(ref _nodes).Length > 1;

    /// <summary>The nodes have changed, and with them which nodes are the gutter of which.</summary>
    public void Use(IEnumerable<Node> nodes)
    {
        lock (_lock)
        {
            Volatile.Write(ref _nodes, [.. nodes]);
            foreach (Node down in _down)
            {
                down.GutterFences.Cover(_nodes);
                Renew_NeedsLock(down);
            }
        }
    }

    /// <inheritdoc/>
    public void OnGoingDown(Node node)
    {
        if (!isEnabled)
        {
            return;
        }

        lock (_lock)
        {
            node.GutterFences.Cover(_nodes);
            foreach (Node other in _nodes)
            {
                Close_NeedsLock(node, other);
            }

            foreach (Node down in _down)
            {
                Close_NeedsLock(down, node);
            }

            _down.Add(node);
            Volatile.Write(ref _count, _down.Count);
        }
    }

    /// <inheritdoc/>
    public void OnDown(Node node)
    {
        lock (_lock)
        {
            if (_down.Contains(node))
            {
                Renew_NeedsLock(node);
            }
        }
    }

    /// <inheritdoc/>
    public void OnComingUp(Node node)
    {
        lock (_lock)
        {
            if (!_down.Remove(node))
            {
                return;
            }

            Volatile.Write(ref _count, _down.Count);
            foreach (Node other in _nodes)
            {
                if (node.GutterFences.Find(other) is { } fence)
                {
                    other.Consistency.Fences.Drop(fence);
                }
            }

            // Kept, they would keep every node that was there.
            node.GutterFences.Clear();

            // A fence that was found while this node was going down does not count: it was written to since. They are
            // renewed when its connection is told.
            foreach (Node down in _down)
            {
                Close_NeedsLock(down, node);
            }
        }
    }

    /// <inheritdoc/>
    public void OnConnected(Node node)
    {
        if (!AreNeeded)
        {
            return;
        }

        lock (_lock)
        {
            foreach (Node down in _down)
            {
                if (down.GutterFences.Find(node) is { } fence)
                {
                    node.Consistency.Fences.Renew(fence);
                }
            }
        }
    }

    private static void Close_NeedsLock(Node down, Node gutterNode)
    {
        if (down.GutterFences.Find(gutterNode) is { } fence)
        {
            gutterNode.Consistency.Fences.Close(fence);
        }
    }

    private void Renew_NeedsLock(Node down)
    {
        foreach (Node other in _nodes)
        {
            if (down.GutterFences.Find(other) is { } fence)
            {
                other.Consistency.Fences.Renew(fence);
            }
        }
    }
}
