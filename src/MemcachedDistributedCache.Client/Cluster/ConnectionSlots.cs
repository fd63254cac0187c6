using System.Collections.Immutable;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// The places of a node's connections: some for asynchronous callers, who share them by key, one for those who block,
/// and one for reads of large values, which nothing else may take.
/// </summary>
internal sealed class ConnectionSlots
{
    private readonly ConnectionSlot[] _async;
    private readonly ConnectionSlot _largeValues;
    private readonly ConnectionSlot _sync;
    private ImmutableArray<Connection> _leaving = [];

    public ConnectionSlots(int count, Func<CallMode, ConnectionSlot> create)
    {
        _async = [.. Enumerable.Range(0, count).Select(_ => create(CallMode.Async))];
        _largeValues = create(CallMode.Async);
        _sync = create(CallMode.Sync);
    }

    /// <summary>The one that is opened before anybody asks, and by which a node that is down is tried.</summary>
    public ConnectionSlot First => _async[0];

    /// <summary>Replies awaited.</summary>
    public int PendingCount => All.Sum(static slot => slot.Current?.PendingCount ?? 0);

    /// <summary>No deadline is near.</summary>
    public bool AreQuiet => _leaving.IsEmpty && IsQuiet(_largeValues) && IsQuiet(_sync) && Array.TrueForAll(_async, IsQuiet);

    private IEnumerable<ConnectionSlot> All => _async.Append(_largeValues).Append(_sync);

    /// <summary>A slot is the one for large values.</summary>
    public bool IsForLargeValues(ConnectionSlot slot) => slot == _largeValues;

    /// <summary>
    /// The connection for a request; null while none can be had. One that changes its key has only the key's own slot:
    /// an earlier change may still be on its way there, and would come after one that took another.
    /// </summary>
    public Connection? Acquire(uint hash, CallMode mode, bool changes)
    {
        if (mode == CallMode.Sync)
        {
            return _sync.Acquire();
        }

        Connection? connection = _async[_async.Length == 1 ? 0 : (int)(hash % (uint)_async.Length)].Acquire();
        return connection ?? (changes ? null : Array.Find(_async, static slot => slot.IsOpen)?.Current);
    }

    /// <summary>
    /// The connection for reads of large values; null while it is not open. One is begun then, but no read waits for
    /// it, or fails because it cannot be had: the key's own connection is there. That it has been opened is told after
    /// it is known where it leads.
    /// </summary>
    public Connection? AcquireForLargeValue()
        => _largeValues.Acquire() is { Opened.IsCompleted: true, IsUsable: true } connection ? connection : null;

    /// <summary>Forgets all failures: the server answers again.</summary>
    public void ClearBackoff()
    {
        foreach (ConnectionSlot slot in All)
        {
            slot.ClearBackoff();
        }
    }

    /// <summary>Looks after the deadlines of all connections.</summary>
    public void Scan(ref int timedOut, ref long answered)
    {
        foreach (ConnectionSlot slot in _async)
        {
            slot.Current?.Scan(ref timedOut, ref answered);
        }

        _largeValues.Current?.Scan(ref timedOut, ref answered);
        _sync.Current?.Scan(ref timedOut, ref answered);
        foreach (Connection connection in _leaving)
        {
            connection.Scan(ref timedOut, ref answered);
        }
    }

    /// <summary>Opens new connections in place of those that are out of date, which end what they have been asked.</summary>
    public void Renew(Func<Connection, bool> isOutdated)
    {
        foreach (ConnectionSlot slot in All)
        {
            if (slot.Current is not { IsUsable: true, IsOpen: true } connection || !isOutdated(connection))
            {
                continue;
            }

            // Before it has left its slot: whoever ends all connections finds it in one place or the other.
            ImmutableInterlocked.Update(ref _leaving, static (all, one) => all.Add(one), connection);
            _ = LeaveAsync(connection, slot.Replace(connection));
        }
    }

    /// <summary>Another connection has taken its place.</summary>
    public bool HasLeft(Connection connection) => _leaving.Contains(connection);

    /// <summary>
    /// The callers of a slot that has failed are served all the same: a synchronous connection is of no use to
    /// asynchronous ones.
    /// </summary>
    public bool CanServeWithout(ConnectionSlot failed)
        => (failed.Mode == CallMode.Async ? _async : _async.Append(_sync)).Any(static slot => slot.IsOpen);

    /// <summary>
    /// Sends a probe on every open connection. One that nobody uses would pass for the proof of a server that has gone
    /// silent; asked, it ends if there is no answer.
    /// </summary>
    public void AskAll()
    {
        foreach (ConnectionSlot slot in All)
        {
            if (slot.Current is { IsUsable: true, IsOpen: true } connection)
            {
                // A synchronous connection blocks whoever asks.
                _ = slot.Mode == CallMode.Async ? AskAsync(connection) : Task.Run(() => AskAsync(connection));
            }
        }
    }

    /// <summary>
    /// Lets nothing be opened any more, and gives all connections that there are. Slots first: a connection that is
    /// replaced meanwhile is among those that leave before its slot has another.
    /// </summary>
    public Connection?[] Close()
    {
        Connection?[] current = [.. All.Select(static slot => slot.Close())];
        return [.. current, .. _leaving];
    }

    /// <summary>Its connection is open, or has ended, and nothing is awaited.</summary>
    private static bool IsQuiet(ConnectionSlot slot)
        => slot.Current is not { } connection || ((connection.IsOpen || !connection.IsUsable) && connection.PendingCount == 0);

    private static async Task AskAsync(Connection connection)
    {
        if (connection.TryExecute(
                new KeyRequest(OperationKind.NoOp, default),
                ValueTarget.OwnArray,
                CancellationToken.None,
                out ValueTask<OperationResult> answer))
        {
            await answer.ConfigureAwait(false);
        }
    }

    /// <summary>Lets a connection end what it has been asked; it is swept until then.</summary>
    private async Task LeaveAsync(Connection connection, bool hasLeft)
    {
        if (hasLeft)
        {
            await connection.DrainAsync().ConfigureAwait(false);
        }

        ImmutableInterlocked.Update(ref _leaving, static (all, one) => all.Remove(one), connection);
    }
}
