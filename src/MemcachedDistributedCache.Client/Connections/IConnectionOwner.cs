using MemcachedDistributedCache.Telemetry;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// The node's side of one connection. All methods may be called by any thread and must not wait; a connection calls <see cref="OnOpened"/>,
/// <see cref="OnEnding"/> and <see cref="OnEnded"/> once each at most, in that order.
/// </summary>
internal interface IConnectionOwner
{
    /// <summary>Where everything is counted.</summary>
    NodeCounters Counters { get; }

    /// <summary>Which keys are read on a connection of their own.</summary>
    LargeValues LargeValues { get; }

    /// <summary>Tells the newest uncertain write of the node from all before it.</summary>
    long LastUncertainVersion { get; }

    /// <summary>Tells from an item's CAS that it may be read.</summary>
    bool Admits(ulong cas);

    /// <summary>A change of a key ended without a definite answer. Called before its caller hears of that.</summary>
    /// <param name="key">The key on the wire.</param>
    /// <param name="mayOvertakeRemoval">The server may act on the change after a removal that is sent from now on.</param>
    /// <param name="settledBy">Which later change tells what the key holds; see <see cref="Vocabulary.SettlingConnection"/>.</param>
    void RecordUncertain(ReadOnlySpan<byte> key, bool mayOvertakeRemoval, long settledBy);

    /// <summary>A change of a key was made, which may settle an uncertain one.</summary>
    /// <param name="key">The key on the wire.</param>
    /// <param name="begunAt"><see cref="LastUncertainVersion"/> when the change began.</param>
    /// <param name="connection">The connection that it went by.</param>
    void Settle(ReadOnlySpan<byte> key, long begunAt, long connection);

    /// <summary>The connection is open; runs before its first request is sent.</summary>
    void OnOpened();

    /// <summary>The connection takes nothing more; runs before the callers of what it was asked hear of that.</summary>
    void OnEnding(ConnectionEnd end);

    /// <summary>The connection has ended, and its callers have heard of it.</summary>
    void OnEnded(ConnectionEnd end);
}
