using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Consistency;

/// <summary>
/// Which keys and items of one node may be old, and how that ends. The parts: <see cref="UncertainWrites"/> remembers
/// keys, <see cref="InvalidationReplay"/> removes them from the server, <see cref="FenceKeeper"/> tells old items from
/// new ones by their CAS. docs/consistency.md describes them together.
/// </summary>
internal sealed class NodeConsistency
{
    private readonly INodeChannel _node;
    private readonly ConsistencySettings _settings;
    private readonly NodeCounters _counters;
    private readonly ILogger _logger;
    private readonly InvalidationReplay _replay;

    public NodeConsistency(INodeChannel node, ConsistencySettings settings, NodeCounters counters, ILogger logger, CancellationToken stop)
    {
        _node = node;
        _settings = settings;
        _counters = counters;
        _logger = logger;
        Fences = new FenceKeeper(node, settings, counters, logger, stop) { Unanswered = WaitAgain };
        Writes = new UncertainWrites(settings.MaximumUncertainKeys, Fences);
        _replay = new InvalidationReplay(node, Writes, settings, counters, logger, stop);
    }

    /// <summary>The fences of the node.</summary>
    public FenceKeeper Fences { get; }

    /// <summary>The uncertain writes of the node.</summary>
    public UncertainWrites Writes { get; }

    /// <inheritdoc cref="InvalidationReplay.HasUndelivered"/>
    public bool HasUndelivered => _replay.HasUndelivered;

    /// <summary>The cache ends: whatever can be removed is removed now.</summary>
    public void BeginDelivery() => _replay.BeginDelivery();

    /// <summary>A key is not to be read now.</summary>
    public bool IsUncertain(ReadOnlySpan<byte> key) => !Writes.IsEmpty && Writes.Contains(key);

    /// <summary>
    /// Records that a write to a key may not have happened, or may yet happen. A write that another node has made in
    /// this one's place is no failure.
    /// </summary>
    /// <param name="key">The key on the wire.</param>
    /// <param name="mayOvertakeRemoval">The server may act on the write after a removal that is sent from now on.</param>
    /// <param name="settledBy">Which later change tells what the key holds; see <see cref="SettlingConnection"/>.</param>
    /// <param name="isFailure">The write failed, and counts as that.</param>
    public void Record(ReadOnlySpan<byte> key, bool mayOvertakeRemoval, long settledBy = SettlingConnection.None, bool isFailure = true)
    {
        if (isFailure)
        {
            _counters.AddUncertain();
        }

        if (_settings.IsShared && settledBy != SettlingConnection.Any)
        {
            // What stands between may carry the requests of one connection to its servers in any order.
            (mayOvertakeRemoval, settledBy) = (true, SettlingConnection.None);
        }

        if (Writes.Add(key, mayOvertakeRemoval, settledBy, _settings.TimeProvider.GetTimestamp()))
        {
            Log.UncertainWritesOverflowed(_logger, _counters.Server, _settings.MaximumUncertainKeys);
        }

        WakeReplay();
    }

    /// <summary>A change of a key was made; see <see cref="UncertainWrites.Settle"/>. Costs nothing while no key is uncertain.</summary>
    public void Settle(ReadOnlySpan<byte> key, long begunAt, long connection)
    {
        if (Writes.Count != 0)
        {
            Writes.Settle(key, begunAt, connection);
        }
    }

    /// <summary>Lets nothing be read that the server has stored up to now.</summary>
    public void MarkAll()
    {
        Writes.MarkAll();
        WakeReplay();
    }

    /// <summary>The node is about to be down.</summary>
    public void OnGoingDown() => Fences.Close(Fences.SinceOutage);

    /// <summary>A connection was opened; <paramref name="isNews"/> if the node was not up before.</summary>
    public void OnConnected(bool isNews)
    {
        if (isNews)
        {
            WaitAgain();
        }

        Fences.OnConnected(isNews);
        _replay.OnConnected(isNews);
    }

    /// <summary>
    /// While every key is uncertain, what is still on its way has its whole grace again: the server has not read its
    /// sockets meanwhile, or may not have.
    /// </summary>
    private void WaitAgain()
    {
        if (Writes.AreAllUncertain)
        {
            MarkAll();
        }
    }

    private void WakeReplay()
    {
        if (_node.IsUp)
        {
            _replay.Wake();
        }
    }
}
