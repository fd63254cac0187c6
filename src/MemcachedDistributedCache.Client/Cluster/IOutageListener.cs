namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Who has to know when a node is down: the other nodes serve its keys meanwhile. The methods run under the node's
/// lock, or before its state is used.
/// </summary>
internal interface IOutageListener
{
    /// <summary>A node that is down has a gutter.</summary>
    bool HasOthers { get; }

    /// <summary>
    /// A node is about to be down: from now on nothing old is read in its place, nor from itself in another's when it
    /// is back.
    /// </summary>
    void OnGoingDown(Node node);

    /// <summary>A node is down: what the others store from now on may be read in its place.</summary>
    void OnDown(Node node);

    /// <summary>A node is about to be no longer down.</summary>
    void OnComingUp(Node node);

    /// <summary>A node has a new connection: it may have been away, and hold what was overwritten elsewhere meanwhile.</summary>
    void OnConnected(Node node);
}
