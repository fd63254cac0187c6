namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Keeps count of the nodes that are down, and sees to it that a node which stands in for another gives out nothing that it held before: an
/// item from an earlier outage may be older than what has been written since.
/// </summary>
internal sealed class StandIns(bool isEnabled)
{
    private Node[] _nodes = [];
    private int _down;

    /// <summary>Whether a node is down for which another stands in.</summary>
    public bool AreNeeded => Volatile.Read(ref _down) != 0;

    /// <summary>The nodes have changed, and with them who stands in for whom.</summary>
    public void Use(IEnumerable<Node> nodes)
    {
        Volatile.Write(ref _nodes, [.. nodes]);
        if (AreNeeded)
        {
            RaiseFloors();
        }
    }

    /// <summary>A node is about to be down: from now on nothing old is read in its place, nor from itself in another's when it is back.</summary>
    public void OnGoingDown()
    {
        if (!isEnabled)
        {
            return;
        }

        foreach (Node node in Volatile.Read(ref _nodes))
        {
            node.Floors.Forget(node.StandInFloor);
        }

        Interlocked.Increment(ref _down);
    }

    /// <summary>A node is down: what the others store from now on may be read in its place.</summary>
    public void OnDown()
    {
        if (isEnabled)
        {
            RaiseFloors();
        }
    }

    /// <summary>A node is about to be no longer down.</summary>
    public void OnComingUp()
    {
        if (isEnabled)
        {
            Interlocked.Decrement(ref _down);
        }
    }

    /// <summary>A node has a new connection: it may have been away, and hold what was overwritten elsewhere meanwhile.</summary>
    public void OnConnected(Node node)
    {
        if (AreNeeded)
        {
            node.Floors.Raise(node.StandInFloor);
        }
    }

    private void RaiseFloors()
    {
        // Alone, a node has nobody to stand in for.
        Node[] nodes = Volatile.Read(ref _nodes);
        foreach (Node node in nodes.Length > 1 ? nodes : [])
        {
            node.Floors.Raise(node.StandInFloor);
        }
    }
}
