using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Diagnostics;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Cluster;

/// <summary>The servers together: who owns which key, and the one timer that looks after all deadlines.</summary>
internal sealed class ServerCluster : IAsyncDisposable, IDisposable
{
    private readonly OperationClock _clock;
    private readonly ITimer _sweeper;
    private readonly Topology _topology;
    private int _sweeping;
    private int _disposed;

    public ServerCluster(ClusterSettings settings, IEnumerable<ServerSpec> servers, ILogger logger)
    {
        _clock = settings.Connections.Clock;
        var detached = new DetachedLogger(logger);
        _topology = new Topology([.. servers.Select(server => new Node(settings, server, detached))]);
        using FlowGuard.Suppression noFlow = FlowGuard.Suppress();
        _sweeper = settings.Connections.TimeProvider.CreateTimer(static state => ((ServerCluster)state!).Sweep(), this, _clock.Interval, _clock.Interval);
        foreach (Node node in _topology.Nodes)
        {
            node.Warm();
        }
    }

    /// <summary>All nodes.</summary>
    public IReadOnlyList<Node> Nodes => _topology.Nodes;

    /// <summary>Whether the cluster has been disposed.</summary>
    public bool IsDisposed => Volatile.Read(ref _disposed) != 0;

    /// <summary>The node that owns a hash.</summary>
    public Node NodeOf(uint hash) => _topology.NodeOf(hash);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            // The sweeper goes last: it bounds the wait for what is still under way.
            await Task.WhenAll(Nodes.Select(static node => node.DrainAsync())).ConfigureAwait(false);
            await _sweeper.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            foreach (Node node in Nodes)
            {
                node.Abort();
            }

            _sweeper.Dispose();
        }
    }

    private void Sweep()
    {
        // Timer callbacks may overlap when the machine is busy; the watches want one at a time.
        if (Interlocked.Exchange(ref _sweeping, 1) == 0)
        {
            try
            {
                _clock.Advance();
                foreach (Node node in Nodes)
                {
                    node.Sweep();
                }
            }
            finally
            {
                Volatile.Write(ref _sweeping, 0);
            }
        }
    }
}
