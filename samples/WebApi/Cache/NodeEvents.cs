using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using MemcachedDistributedCache;

namespace WebApi.Cache;

/// <summary>The nodes as they are now, every half second, as server-sent events: what the front page draws.</summary>
internal static class NodeEvents
{
    public static void AddNodeEvents(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<NodeWatch>();
    }

    public static void MapNodeEvents(this IEndpointRouteBuilder app)
        => app.MapGet("/api/cache/events", static (NodeWatch watch, IHostApplicationLifetime lifetime, CancellationToken cancellationToken)
            => TypedResults.ServerSentEvents(WatchAsync(watch, lifetime, cancellationToken))).ExcludeFromDescription();

    private static async IAsyncEnumerable<SseItem<NodeSample[]>> WatchAsync(
        NodeWatch watch,
        IHostApplicationLifetime lifetime,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // A page that stays open must not keep the application from ending.
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        using var timer = new PeriodicTimer(NodeWatch.Interval);
        while (true)
        {
            NodeSample[] nodes;
            try
            {
                nodes = await watch.LookAsync().WaitAsync(either.Token);
            }
            catch (OperationCanceledException)
            {
                yield break;
            }

            yield return new SseItem<NodeSample[]>(nodes);
            try
            {
                await timer.WaitForNextTickAsync(either.Token);
            }
            catch (OperationCanceledException)
            {
                yield break;
            }
        }
    }
}

/// <summary>Asks the nodes once for all who watch.</summary>
internal sealed class NodeWatch(MemcachedCache cache, TimeProvider time)
{
    /// <summary>How often.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private readonly Lock _lock = new();
    private Task<NodeSample[]>? _last;
    private long _lookedAt;

    /// <summary>The nodes as they were at most an interval ago.</summary>
    public Task<NodeSample[]> LookAsync()
    {
        lock (_lock)
        {
            if (_last is null || _last.IsFaulted || (_last.IsCompleted && time.GetElapsedTime(_lookedAt) > Interval / 2))
            {
                _lookedAt = time.GetTimestamp();
                _last = AskAsync();
            }

            return _last;
        }
    }

    private async Task<NodeSample[]> AskAsync()
    {
        IReadOnlyList<MemcachedNodePing> pings = await cache.PingAsync(Patience);
        return [.. cache.GetNodes().Zip(pings, static (node, ping) => new NodeSample(
            node.Server,
            ping.Failure is null ? "Up" : "Down",
            ping.RoundTrip?.TotalMilliseconds,
            node.Hits,
            node.Misses,
            node.Errors))];
    }
}

/// <summary>A node at a moment; the counts grow from the start of this process.</summary>
internal sealed record NodeSample(string Server, string State, double? Milliseconds, long Hits, long Misses, long Errors);
