using System.Diagnostics;
using System.Globalization;

namespace MemcachedDistributedCache.Telemetry;

/// <summary>
/// Times requests to one server, when somebody listens. While nobody does a request pays for two field reads. Listeners are other people's
/// code: they run on the caller's side, never on a connection's read loop, and what they throw ends here.
/// <para>
/// No key is ever among the attributes, not even by choice: keys hold what identifies people (session ids, e-mail addresses), traces
/// go to systems with other readers and longer lives than a cache, and metrics would get a series for each.
/// </para>
/// </summary>
internal sealed class NodeTelemetry
{
    private static readonly ActivitySource Source = new(MetricHub.Name, MetricHub.Version);

    private readonly MetricHub _hub;
    private readonly TimeProvider _time;
    private readonly MetricTags[] _operationTags;
    private readonly string[] _spanNames;
    private readonly KeyValuePair<string, object?>[]?[] _tags;

    public NodeTelemetry(MetricHub hub, MetricTags cache, string host, int port, IReadOnlyList<string> operations, TimeProvider timeProvider)
    {
        _hub = hub;
        _time = timeProvider;
        Tags = new MetricTags(
            port == 0
                ? [new(AttributeNames.ServerAddress, host), .. cache.All]
                : [new(AttributeNames.ServerAddress, host), new(AttributeNames.ServerPort, port), .. cache.All]);
        _operationTags = [.. operations.Select(operation => Tags.With(AttributeNames.System, "memcached").With(AttributeNames.Operation, operation))];
        string place = port == 0 ? host : string.Create(CultureInfo.InvariantCulture, $"{host}:{port}");
        _spanNames = [.. operations.Select(operation => $"{operation} {place}")];
        _tags = new KeyValuePair<string, object?>[operations.Count * RequestOutcomes.Count][];
    }

    /// <summary>The server, and the cache if it has a name.</summary>
    public MetricTags Tags { get; }

    /// <summary>Anybody wants to know of requests.</summary>
    public bool IsObserved => _hub.OperationDuration.IsEnabled || Source.HasListeners();

    /// <summary>The time, for <see cref="Begin"/>.</summary>
    public long Now => _time.GetTimestamp();

    /// <summary>
    /// Begins to time a request, and its span if there is to be one. The span is the caller's child and does not become
    /// current.
    /// </summary>
    public RequestTiming Begin(int operation, long startedAt)
    {
        Activity? activity = null;
        if (Source.HasListeners())
        {
            Activity? current = Activity.Current;
            try
            {
                activity = Source.StartActivity(
                    _spanNames[operation],
                    ActivityKind.Client,
                    default(ActivityContext),
                    _operationTags[operation].List,
                    startTime: _time.GetUtcNow());
            }
            catch (Exception)
            {
                // A listener's own fault; the request has no span then.
            }

            Restore(current);
        }

        return new RequestTiming(this, startedAt, activity);
    }

    /// <summary>Ends it. <paramref name="operation"/> is the one that was begun.</summary>
    public void End(in RequestTiming timing, int operation, RequestOutcome outcome)
    {
        TimeSpan elapsed = _time.GetElapsedTime(timing.StartedAt);
        _hub.OperationDuration.Record(elapsed, TagsOf(operation, outcome));
        if (timing.Activity is { } activity)
        {
            Stop(activity, elapsed, outcome);
        }
    }

    /// <summary>Notes a request that ended before it began.</summary>
    public void Refused(int operation, RequestOutcome outcome)
    {
        if (IsObserved)
        {
            End(Begin(operation, Now), operation, outcome);
        }
    }

    private static void Stop(Activity activity, TimeSpan elapsed, RequestOutcome outcome)
    {
        Activity? current = Activity.Current;
        try
        {
            activity.SetTag(AttributeNames.Outcome, outcome.Text());
            if (outcome.IsError())
            {
                activity.SetTag(AttributeNames.ErrorType, outcome.ErrorText());
                activity.SetStatus(ActivityStatusCode.Error);
            }

            activity.SetEndTime(activity.StartTimeUtc + elapsed);
            activity.Stop();
        }
        catch (Exception)
        {
            // As above.
        }

        Restore(current);
    }

    private static void Restore(Activity? current)
    {
        if (Activity.Current != current)
        {
            Activity.Current = current;
        }
    }

    /// <summary>
    /// The tags of one kind of result. Made when it is first seen; there are as many as operations and outcomes,
    /// whatever callers do.
    /// </summary>
    private ReadOnlySpan<KeyValuePair<string, object?>> TagsOf(int operation, RequestOutcome outcome)
    {
        ref KeyValuePair<string, object?>[]? tags = ref _tags[(operation * RequestOutcomes.Count) + (int)outcome];
        return Volatile.Read(ref tags) ?? (tags = Make(operation, outcome));
    }

    private KeyValuePair<string, object?>[] Make(int operation, RequestOutcome outcome)
    {
        MetricTags tags = _operationTags[operation].With(AttributeNames.Outcome, outcome.Text());
        return [.. (outcome.IsError() ? tags.With(AttributeNames.ErrorType, outcome.ErrorText()) : tags).All];
    }
}

/// <summary>A request that is being timed.</summary>
/// <param name="Node">Of which server; null where nobody listens.</param>
/// <param name="StartedAt">When it was asked.</param>
/// <param name="Activity">Its span, if there is one.</param>
internal readonly record struct RequestTiming(NodeTelemetry? Node, long StartedAt, Activity? Activity);
