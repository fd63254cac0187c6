using MemcachedDistributedCache.Consistency;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Cluster;

/// <summary>The metrics of the nodes as this process sees them. Their numbers are kept anyway; a collection reads them.</summary>
internal static class NodeMetrics
{
    private static readonly (MemcachedNodeState State, string Name)[] States =
    [
        .. Enum.GetValues<MemcachedNodeState>().Select(static state => (state, OutcomeNames.Snake(state.ToString()))),
    ];

    private static readonly (MemcachedFailureReason Reason, string Name)[] Errors =
    [
        .. Enum.GetValues<MemcachedFailureReason>().Select(static reason => (reason, OutcomeNames.Of(reason).ErrorText())),
    ];

    private static readonly (ConnectionEndReason Reason, string Name)[] Ends =
    [
        .. Enum.GetValues<ConnectionEndReason>().Select(static reason => (reason, OutcomeNames.Snake(reason.ToString()))),
    ];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ObservedMetric<IClusterReadings>> All { get; } =
    [
        Of("memcached.client.hits", MetricKind.Counter, "{hit}", "Reads that the server answered with an item.", static (node, to) => to.Add(Tags(node), node.Counters.Hits)),
        Of("memcached.client.misses", MetricKind.Counter, "{miss}", "Reads that the server answered without one.", static (node, to) => to.Add(Tags(node), node.Counters.Misses)),
        Of("memcached.client.errors", MetricKind.Counter, "{error}", "Requests without an answer to rely on.", static (node, to) =>
        {
            foreach ((MemcachedFailureReason reason, string name) in Errors)
            {
                to.Add(Tags(node).With(AttributeNames.ErrorType, name), node.Counters.ErrorsBy(reason));
            }
        }),
        Of("memcached.client.network.io", MetricKind.Counter, "By", "Bytes of requests sent and replies received.", static (node, to) =>
        {
            to.Add(Tags(node).With(AttributeNames.Direction, "transmit"), node.Counters.SentBytes);
            to.Add(Tags(node).With(AttributeNames.Direction, "receive"), node.Counters.ReceivedBytes);
        }),
        Of("memcached.client.pending_requests", MetricKind.Amount, "{request}", "Requests whose reply is still to come.", static (node, to) => to.Add(Tags(node), node.PendingCount)),
        Of("memcached.client.oversize_rejections", MetricKind.Counter, "{value}", "Values that were not stored because of their size.", static (node, to) => to.Add(Tags(node), node.Counters.Oversized)),
        Of("memcached.client.connection.count", MetricKind.Amount, "{connection}", "Open connections.", static (node, to) => to.Add(Tags(node), node.Counters.Open)),
        Of("memcached.client.connection.opened", MetricKind.Counter, "{connection}", "Connections that were opened.", static (node, to) => to.Add(Tags(node), node.Counters.Opened)),
        Of("memcached.client.connection.ended", MetricKind.Counter, "{connection}", "Connections that ended or could not be opened, by reason.", static (node, to) =>
        {
            foreach ((ConnectionEndReason reason, string name) in Ends)
            {
                to.Add(Tags(node).With(AttributeNames.EndReason, name), node.Counters.Ends(reason));
            }
        }),
        Of("memcached.client.node.state", MetricKind.Gauge, "{node}", "1 for the state that the node is in, 0 for each other.", static (node, to) =>
        {
            MemcachedNodeState current = node.State;
            foreach ((MemcachedNodeState state, string name) in States)
            {
                to.Add(Tags(node).With(AttributeNames.NodeState, name), state == current ? 1 : 0);
            }
        }) with { IsShared = true },
        Of("memcached.client.node.state_changes", MetricKind.Counter, "{change}", "Changes of the node's state, by the state that followed.", static (node, to) =>
        {
            foreach ((MemcachedNodeState state, string name) in States.Where(static one => one.State != MemcachedNodeState.Unknown))
            {
                to.Add(Tags(node).With(AttributeNames.NodeState, name), node.Counters.StateChanges(state));
            }
        }),
        Of("memcached.client.uncertain_keys.count", MetricKind.Amount, "{key}", "Keys that are misses because their last write or removal may not have reached the server.", static (node, to) => to.Add(Tags(node), node.Consistency.Writes.Count)),
        Of("memcached.client.uncertain_keys.all", MetricKind.Gauge, "{node}", "1 while every key of the node is a miss because what it holds may be old, 0 otherwise.", static (node, to) => to.Add(Tags(node), node.Consistency.Writes.AreAllUncertain ? 1 : 0)) with { IsShared = true },
        Of("memcached.client.uncertain_keys.recorded", MetricKind.Counter, "{key}", "Writes and removals whose outcome was lost, so that their key was remembered.", static (node, to) => to.Add(Tags(node), node.Counters.UncertainRecorded)),
        Of("memcached.client.uncertain_keys.replayed", MetricKind.Counter, "{key}", "Remembered keys that were removed from the server and can be read again.", static (node, to) => to.Add(Tags(node), node.Counters.Replayed)),
        Of("memcached.client.retries", MetricKind.Counter, "{retry}", "Operations that were tried again because an attempt at this server had failed.", static (node, to) => to.Add(Tags(node), node.Counters.Retries)),
        Of("memcached.client.gutter_hits", MetricKind.Counter, "{hit}", "Reads that found a value here in the place of a server that was down.", static (node, to) => to.Add(Tags(node), node.Counters.GutterHits)),
        .. ServerMetrics.All,
    ];

    private static MetricTags Tags(Node node) => node.Counters.Telemetry.Tags;

    private static ObservedMetric<IClusterReadings> Of(string name, MetricKind kind, string unit, string description, Action<Node, Observations> read)
        => new(name, kind, unit, description, (metrics, to) =>
        {
            foreach (Node node in metrics.Nodes)
            {
                read(node, to);
            }
        });
}
