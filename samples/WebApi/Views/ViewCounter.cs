using MemcachedDistributedCache;

namespace WebApi.Views;

/// <summary>
/// Counts the views of products on memcached, for all instances together. A count that memcached loses begins anew: it is there to be
/// shown, not to be billed.
/// </summary>
internal sealed class ViewCounter(IMemcachedClient client)
{
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    /// <summary>Counts a view; the count, or null while the counter's server is away.</summary>
    public async ValueTask<ulong?> AddAsync(long id, CancellationToken cancellationToken)
        => (await client.IncrementAsync(KeyOf(id), delta: 1, initial: 1, Kept, cancellationToken)).TryGetValue(out ulong count) ? count : null;

    /// <summary>The counts of many products, by one request to each server. Null where the server is away; 0 where nothing was counted.</summary>
    public async Task<IReadOnlyList<ulong?>> ReadAsync(IReadOnlyCollection<long> ids, CancellationToken cancellationToken)
    {
        MemcachedResults<ulong> counts = await client.GetManyAsync<ulong>(ids.Select(KeyOf), cancellationToken);
        return [.. counts.Select(static count => count.Outcome == MemcachedOutcome.NotFound ? 0 : count.IsSuccess ? count.Value : (ulong?)null)];
    }

    private static MemcachedKey KeyOf(long id) => new($"views:{id}");
}
