using System.Collections.Frozen;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Telemetry;

namespace MemcachedDistributedCache.Cluster;

/// <summary>
/// Publishes a cluster's numbers, until it is disposed. What servers say of themselves is asked for only while somebody collects: a
/// collection gets the last answers at once and has the next ones fetched behind it.
/// </summary>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so there is nothing to free; disposing it would race with a look that is under way.
internal sealed class ClusterMetrics : IClusterReadings, IDisposable
#pragma warning restore CA1001
{
    /// <summary>Servers are not asked more often, however many collectors there are.</summary>
    public static readonly TimeSpan MinimumInterval = TimeSpan.FromSeconds(5);

    /// <summary>An older answer is of a time when nobody collected, and says nothing of now.</summary>
    public static readonly TimeSpan LongestAge = TimeSpan.FromMinutes(5);

    private readonly ServerCluster _cluster;
    private readonly ConnectionSettings _settings;
    private readonly CancellationTokenSource _stop = new();
    private FrozenDictionary<Node, ServerView> _views = FrozenDictionary<Node, ServerView>.Empty;
    private long _lookedAt;
    private int _isLooking;

    public ClusterMetrics(ServerCluster cluster, ConnectionSettings settings)
    {
        _cluster = cluster;
        _settings = settings;
        settings.Telemetry.Hub.Attach<IClusterReadings>(NodeMetrics.All, this);
    }

    /// <inheritdoc/>
    public IReadOnlyList<Node> Nodes => _cluster.Nodes;

    /// <inheritdoc/>
    public IEnumerable<(Node Node, ServerView Seen)> LookAtServers()
    {
        TimeProvider time = _settings.TimeProvider;
        bool isDue = _lookedAt == 0 || time.GetElapsedTime(Volatile.Read(ref _lookedAt)) >= MinimumInterval;
        if (isDue && !_stop.IsCancellationRequested && Interlocked.Exchange(ref _isLooking, 1) == 0)
        {
            Volatile.Write(ref _lookedAt, time.GetTimestamp());
            using (FlowGuard.Suppress())
            {
                _ = Task.Run(LookAsync, CancellationToken.None);
            }
        }

        foreach ((Node node, ServerView seen) in Volatile.Read(ref _views))
        {
            if (time.GetElapsedTime(seen.At) <= LongestAge)
            {
                yield return (node, seen);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _settings.Telemetry.Hub.Detach<IClusterReadings>(this);
        _stop.Cancel();
    }

    private async Task LookAsync()
    {
        try
        {
            FrozenDictionary<Node, ServerView> before = _views;
            (Node Node, ServerStatistics? Said)[] answers = await Task.WhenAll(
                    Nodes.Select(async node => (node, await AskAsync(node).ConfigureAwait(false))))
                .ConfigureAwait(false);
            Volatile.Write(
                ref _views,
                answers
                    .Where(static answer => answer.Said is not null)
                    .ToFrozenDictionary(
                        static answer => answer.Node,
                        answer =>
                            ServerView.After(before.GetValueOrDefault(answer.Node), answer.Said!, _settings.TimeProvider.GetTimestamp())));
        }
        finally
        {
            Volatile.Write(ref _isLooking, 0);
        }
    }

    /// <summary>
    /// A node that is down is tried by those whose task it is. Where servers are shared each answer would be of another
    /// one, and most such addresses refuse the question.
    /// </summary>
    private Task<ServerStatistics?> AskAsync(Node node)
        => node.State == MemcachedNodeState.Down || _settings.IsShared
            ? Task.FromResult<ServerStatistics?>(null)
            : ((Consistency.INodeChannel)node).GetStatisticsAsync(_stop.Token);
}
