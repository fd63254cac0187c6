using MemcachedDistributedCache.Consistency;
using System.Collections.Immutable;
using System.Net;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Transport;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// The servers together: who owns which key, which nodes are the gutter of which, and the one timer that looks after
/// all deadlines.
/// </summary>
internal sealed class ServerCluster : IAsyncDisposable, IDisposable
{
    /// <summary>Stands in failures for a server that is not known yet.</summary>
    private static readonly NodeCounters Nobody = new("(no address found yet)", telemetry: null, static () => ServerDirectory.RetryPause);

    private static readonly TimeSpan DeliveryPause = TimeSpan.FromMilliseconds(5);

    private readonly ClusterSettings _settings;
    private readonly ILogger _logger;
    private readonly TimeoutScanner _scanner;
    private readonly Gutter _gutter;
    private readonly SharedAddresses _sharedAddresses;
    private readonly ServerDirectory _directory;
    private readonly ServerDiscovery? _discovery;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _changing = new();
    private readonly HashSet<ServerAddress> _leftUncertain = [];
    private Topology _topology = new([], []);
    private ImmutableArray<Node> _leaving = [];
    private bool _hasLostChanges;
    private int _disposed;

    public ServerCluster(
        ClusterSettings settings,
        IReadOnlyList<ServerSpec> servers,
        NameResolver names,
        ILogger logger,
        IServerLister? lister = null)
    {
        _logger = new DetachedLogger(logger);
        _sharedAddresses = new SharedAddresses(_logger);
        _settings = settings with { AddressChanged = _sharedAddresses.Note, NodeDown = OnNodeDown, Logger = _logger };
        _gutter = new Gutter(settings.GutterSeconds != 0);
        _directory = new ServerDirectory(names, settings, servers, Apply, _logger, _stop.Token);
        _discovery = lister is null
            ? null
            : new ServerDiscovery(_settings, lister, _directory.UseDiscovered, IsAnyUp, _logger, _stop.Token);
        _directory.ResolveFirst();
        using FlowGuard.Suppression noFlow = FlowGuard.Suppress();
        _scanner = new TimeoutScanner(settings.Connections.TimeProvider, settings.Connections.Clock, Scan, IsQuiet);

        // In this order: a name that is found meanwhile is seen by one of them.
        _directory.Follow();
        _discovery?.AskFirst();
        Apply();
    }

    /// <summary>The result of an operation while no server is known.</summary>
    public static OperationResult NoServer { get; } = OperationResult.Failed(Nobody.Unavailable);

    /// <summary>For how long, in seconds, a node keeps what it holds for another that is down.</summary>
    public int GutterSeconds => _settings.GutterSeconds;

    /// <summary>All nodes.</summary>
    public IReadOnlyList<Node> Nodes => Topology.Nodes;

    /// <summary>How many nodes have left and still end what they were asked.</summary>
    public int LeavingCount => _leaving.Length;

    /// <summary>The cluster has been disposed.</summary>
    public bool IsDisposed => Volatile.Read(ref _disposed) != 0;

    private Topology Topology => Volatile.Read(ref _topology);

    /// <summary>The node that owns a hash; null where no server is known, since no name could be resolved.</summary>
    public Node? NodeOf(uint hash) => Topology.NodeOf(hash);

    /// <summary>Where to send an operation on a key with this hash.</summary>
    /// <param name="hash">The hash.</param>
    /// <param name="mayUseGutter">Another node may serve in the place of the owner while that is down.</param>
    public Route RouteOf(uint hash, bool mayUseGutter = true)
    {
        Topology topology = Topology;
        Node? owner = topology.NodeOf(hash);
        if (owner is null || (topology.Moves.IsEmpty && !_gutter.AreNeeded))
        {
            return new Route(owner);
        }

        if (mayUseGutter && owner.State == MemcachedNodeState.Down && _gutter.AreNeeded && topology.GutterRouteOf(hash, owner) is { } gutterRoute)
        {
            return gutterRoute;
        }

        return new Route(owner, topology.FenceOf(hash, owner));
    }

    /// <summary>
    /// Notes a change that no server heard of because none was known: what the first ones hold by the time they are is
    /// not to be read.
    /// </summary>
    public void NoteLostChange()
    {
        lock (_changing)
        {
            if (Nodes.Count == 0)
            {
                _hasLostChanges = true;
                return;
            }
        }

        // They have just become known.
        MarkAllUncertain(Nodes);
    }

    /// <summary>
    /// Follows a change of the configuration. Nodes that stay keep their connections; those that go end what they have
    /// been asked. Once servers have been discovered, those stay.
    /// </summary>
    public Task ReloadAsync(IReadOnlyList<ServerSpec> servers) => _directory.UseAsync(servers);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await DeliverAsync().ConfigureAwait(false);

            // The time-out scanner goes last: it bounds the wait for what is still under way.
            await _stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(AllNodes().Select(static node => node.DrainAsync())).ConfigureAwait(false);
            await _scanner.DisposeAsync().ConfigureAwait(false);
            _stop.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _stop.Cancel();
            foreach (Node node in AllNodes())
            {
                node.Abort();
            }

            _scanner.Dispose();
            _stop.Dispose();
        }
    }

    /// <summary>
    /// Lets servers that are up hear of removals that they have not heard of yet, for one operation's limit at most:
    /// this process would forget them. The tasks that do so run by themselves.
    /// </summary>
    private async Task DeliverAsync()
    {
        foreach (Node node in AllNodes())
        {
            node.Consistency.BeginDelivery();
        }

        long since = TimeProvider.System.GetTimestamp();
        while (AllNodes().Any(static node => node.Consistency.HasUndelivered)
            && TimeProvider.System.GetElapsedTime(since) < _settings.OperationTimeout)
        {
            await Task.Delay(DeliveryPause, TimeProvider.System, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private void OnNodeDown() => _discovery?.OnNodeDown();

    private bool IsAnyUp() => Nodes.Any(static node => node.State == MemcachedNodeState.Up);

    private IEnumerable<Node> AllNodes()
    {
        lock (_changing)
        {
            return [.. Nodes, .. _leaving];
        }
    }

    /// <summary>Makes the topology what the directory says, and lets go of connections to addresses that are out of date.</summary>
    private void Apply()
    {
        Node[] joined;
        Node[] left;
        lock (_changing)
        {
            if (IsDisposed)
            {
                return;
            }

            Topology before = _topology;
            IReadOnlyList<(ServerAddress Address, int Weight)> servers = _directory.Servers;
            Dictionary<ServerAddress, Node> known = before.Nodes.ToDictionary(static node => node.Address);
            Topology.Member[] members =
            [
                .. servers.Select(server => new Topology.Member(
                    known.GetValueOrDefault(server.Address) ?? new Node(_settings, server.Address, _gutter),
                    server.Weight)),
            ];
            foreach ((Topology.Member member, (ServerAddress address, _)) in members.Zip(servers))
            {
                member.Node.Rename(address);
            }

            if (members.ToHashSet().SetEquals(before.Members) || members.Length == 0)
            {
                // With nothing to put in their place, since no name can be resolved, the nodes stay.
                joined = left = [];
            }
            else
            {
                joined = [.. members.Select(static member => member.Node).Where(node => !known.ContainsKey(node.Address))];
                left = [.. before.Nodes.Where(node => !Array.Exists(members, member => member.Node == node))];
                MarkUncertain_NeedsLock(joined);
                _leaving = _leaving.AddRange(left);
                if (_hasLostChanges)
                {
                    MarkAllUncertain(joined);
                    _hasLostChanges = false;
                }

                // In this order: who finds its way in the new ring does not pass nodes that have left, and must find
                // the fences of that ring.
                var topology = new Topology(members, MovesFrom(before, members));
                _gutter.Use(members.Select(static member => member.Node));
                Volatile.Write(ref _topology, topology);
            }
        }

        foreach (Node node in joined)
        {
            node.Warm();
        }

        foreach (Node node in left)
        {
            _sharedAddresses.Forget(node.Address);
            _ = LeaveAsync(node);
        }

        RenewConnections();
    }

    /// <summary>The history that the new topology takes over from those before.</summary>
    private ImmutableArray<Topology.Move> MovesFrom(Topology before, Topology.Member[] members)
    {
        if (before.Nodes.Count == 0)
        {
            return [];
        }

        Log.ServersChanged(_logger, before.Nodes.Count, members.Length);
        if (_settings.Connections.IsShared)
        {
            // Nothing tells what a new owner held before.
            return [];
        }

        ImmutableArray<Topology.Move> moves = before.Moves;
        Topology.Move? repeated = moves.FirstOrDefault(move => move.Before.SharesLike(before));
        if (repeated is null && moves.Length == Topology.MostMoves)
        {
            foreach (Topology.Member member in members)
            {
                foreach (Topology.Move move in moves)
                {
                    if (move.Fences.TryGetValue(member.Node, out CasFence? fence))
                    {
                        member.Node.Consistency.Fences.Drop(fence);
                    }
                }

                member.Node.Consistency.MarkAll();
            }

            moves = [];
        }

        // Of each key an earlier change from the same ring would say what this one says, which is asked first: this one
        // takes its place and its fences.
        Dictionary<Node, CasFence> fences = members.ToDictionary(
            static member => member.Node,
            member => repeated?.Fences.GetValueOrDefault(member.Node) ?? new CasFence());
        foreach ((Node node, CasFence fence) in fences)
        {
            node.Consistency.Fences.Renew(fence);
        }

        moves = repeated is null ? moves : moves.Remove(repeated);
        return moves.Insert(0, new Topology.Move(before.WithoutPast(), fences));
    }

    /// <summary>
    /// A change that a node was asked for before it left, and did not answer, may happen after it has joined again, when newer
    /// writes have been made elsewhere: it is not believed before a grace has passed.
    /// </summary>
    private void MarkUncertain_NeedsLock(Node[] joined)
    {
        foreach (Node node in joined)
        {
            if (_leftUncertain.Remove(node.Address) || _leaving.Any(leaving => leaving.Address == node.Address))
            {
                node.Consistency.MarkAll();
            }
        }
    }

    private async Task LeaveAsync(Node node)
    {
        await node.DrainAsync().ConfigureAwait(false);
        lock (_changing)
        {
            _leaving = _leaving.Remove(node);
            if (!node.Consistency.Writes.IsEmpty)
            {
                _leftUncertain.Add(node.Address);
            }
        }
    }

    private static void MarkAllUncertain(IEnumerable<Node> nodes)
    {
        foreach (Node node in nodes)
        {
            node.Consistency.MarkAll();
        }
    }

    private void RenewConnections()
    {
        foreach (Node node in Nodes)
        {
            if (_directory.AddressesOf(node.Address.Host) is { } addresses)
            {
                node.Renew(connection => connection.RemoteAddress is { } remote && !addresses.Contains(remote));
            }
        }
    }

    private void Scan()
    {
        foreach (Node node in Nodes)
        {
            node.Scan();
        }

        foreach (Node node in _leaving)
        {
            node.Scan();
        }
    }

    /// <summary>No deadline is near. A node that leaves has what it was asked to end.</summary>
    private bool IsQuiet()
    {
        if (!_leaving.IsEmpty)
        {
            return false;
        }

        foreach (Node node in Nodes)
        {
            if (!node.IsQuiet)
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>Where an operation goes.</summary>
/// <param name="Node">The node to ask; null where no server is known.</param>
/// <param name="Fence">What its items are to be newer than, if anything.</param>
/// <param name="Owner">The node in whose place it serves, if it does.</param>
internal readonly record struct Route(Node? Node, CasFence? Fence = null, Node? Owner = null)
{
    /// <summary>Another node serves in the owner's place.</summary>
    public bool IsGutter => Owner is not null;

    /// <summary>Further fences that its items must pass, where other nodes that are down were passed to find a gutter node.</summary>
    public CasFence[]? MoreFences { get; init; }

    /// <summary>An item may be read here.</summary>
    public bool Admits(ulong cas) => Fence?.Admits(cas) != false && (MoreFences is null || Array.TrueForAll(MoreFences, fence => fence.Admits(cas)));
}
