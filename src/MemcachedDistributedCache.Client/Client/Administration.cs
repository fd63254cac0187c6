using System.Globalization;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Client;

/// <summary>Asks all servers at once, each on a connection of its own.</summary>
/// <param name="calls">The cluster.</param>
internal sealed class Administration(ClientCalls calls)
{
    private static readonly TimeSpan LongestDelay = TimeSpan.FromDays(30);

    /// <summary>Lets all items expire.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The delay is negative or over 30 days.</exception>
    public Task<IReadOnlyList<MemcachedServerResult>> FlushAsync(TimeSpan delay, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, LongestDelay);
        long seconds = (long)Math.Ceiling(delay.TotalSeconds);
        return CommandAsync(seconds == 0 ? "flush_all" : string.Create(CultureInfo.InvariantCulture, $"flush_all {seconds}"), cancellationToken);
    }

    /// <summary>Lets all servers count anew.</summary>
    public Task<IReadOnlyList<MemcachedServerResult>> ResetStatisticsAsync(CancellationToken cancellationToken) => CommandAsync("stats reset", cancellationToken);

    /// <summary>Asks all servers for statistics.</summary>
    public async Task<IReadOnlyList<MemcachedServerStatistics>> GetStatisticsAsync(MemcachedStatisticsKind kind, CancellationToken cancellationToken)
    {
        string command = kind switch
        {
            MemcachedStatisticsKind.General => "stats",
            MemcachedStatisticsKind.Items => "stats items",
            MemcachedStatisticsKind.Slabs => "stats slabs",
            MemcachedStatisticsKind.Sizes => "stats sizes",
            MemcachedStatisticsKind.Settings => "stats settings",
            MemcachedStatisticsKind.Connections => "stats conns",
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such kind of statistics."),
        };
        return await AskAllAsync(
            command,
            changes: false,
            static (server, outcome, reply) => new MemcachedServerStatistics(server, outcome, ValuesOf(reply)) { Detail = reply.Error },
            cancellationToken).ConfigureAwait(false);
    }

    private Task<IReadOnlyList<MemcachedServerResult>> CommandAsync(string command, CancellationToken cancellationToken)
        => AskAllAsync(command, changes: true, static (server, outcome, reply) => new MemcachedServerResult(server, outcome, reply.Error), cancellationToken);

    private async Task<IReadOnlyList<T>> AskAllAsync<T>(
        string command,
        bool changes,
        Func<string, MemcachedOutcome, AdminReply, T> resultOf,
        CancellationToken cancellationToken)
    {
        calls.ThrowIfUnusable(cancellationToken);
        T[] results = await Task.WhenAll(calls.Cluster.AllNodes.Select(AskOneAsync)).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return results;

        async Task<T> AskOneAsync(Node node)
        {
            AdminReply reply = await calls.Cluster.AskAsync(node, command, cancellationToken).ConfigureAwait(false);
            MemcachedOutcome outcome = reply.IsAnswer ? MemcachedOutcome.Success
                : reply.Error is not null ? MemcachedOutcome.Rejected
                : reply.WasSent && changes ? MemcachedOutcome.Unknown
                : MemcachedOutcome.Unavailable;
            return resultOf(node.Counters.Server, outcome, reply);
        }
    }

    /// <summary>Of a name that a server tells twice the last value stands.</summary>
    private static Dictionary<string, string> ValuesOf(AdminReply reply)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, string value) in reply.Lines)
        {
            values[name] = value;
        }

        return values;
    }
}
