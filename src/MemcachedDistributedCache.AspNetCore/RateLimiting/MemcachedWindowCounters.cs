namespace MemcachedDistributedCache.AspNetCore.RateLimiting;

/// <summary>The counters on memcached: an addition that makes the counter where there is none.</summary>
internal sealed class MemcachedWindowCounters(IMemcachedClient client, RateLimiterSettings settings, string? partition) : IWindowCounters
{
    private readonly CounterKeys _keys = new(settings, partition);

    /// <inheritdoc/>
    public async ValueTask<WindowAnswer> AskAsync(WindowAsk ask, CancellationToken cancellationToken)
    {
        if (ask.ToClose.Length == 0)
        {
            MemcachedResult<ulong> only = await AddAsync(ask.Segment, (ulong)ask.Take, cancellationToken).ConfigureAwait(false);
            return Answer(only, []);
        }

        // All are sent before any is waited for.
        var all = new Task<MemcachedResult<ulong>>[ask.ToClose.Length + 1];
        all[^1] = AddAsync(ask.Segment, (ulong)ask.Take, cancellationToken).AsTask();
        for (int i = 0; i < ask.ToClose.Length; i++)
        {
            all[i] = AddAsync(ask.ToClose[i], WindowState.ClosedMark, cancellationToken).AsTask();
        }

        MemcachedResult<ulong>[] results = await Task.WhenAll(all).ConfigureAwait(false);
        return Answer(results[^1], results[..^1]);
    }

    /// <inheritdoc/>
    public WindowAnswer Ask(WindowAsk ask)
    {
        MemcachedResult<ulong>[] closed = [.. ask.ToClose.Select(segment => Add(segment, WindowState.ClosedMark))];
        return Answer(Add(ask.Segment, (ulong)ask.Take), closed);
    }

    /// <inheritdoc/>
    public void GiveBack(long segment, int permits) => _ = GiveBackAsync(segment, permits);

    private static WindowAnswer Answer(MemcachedResult<ulong> count, MemcachedResult<ulong>[] closed)
    {
        MemcachedResult<ulong>? failed = count.IsSuccess ? null : count;
        foreach (MemcachedResult<ulong> result in closed)
        {
            failed ??= result.IsSuccess ? null : result;
        }

        return new WindowAnswer(
            Known(count),
            closed.Length == 0 ? [] : Array.ConvertAll(closed, Known),
            failed?.ToString(),
            failed?.Failure?.RetryAfter);
    }

    private static ulong? Known(MemcachedResult<ulong> result) => result.TryGetValue(out ulong count) ? count : null;

    private ValueTask<MemcachedResult<ulong>> AddAsync(long segment, ulong delta, CancellationToken cancellationToken)
        => client.IncrementAsync(_keys.Of(segment), delta, delta, settings.TimeToLive, cancellationToken);

    private MemcachedResult<ulong> Add(long segment, ulong delta) => client.Increment(_keys.Of(segment), delta, delta, settings.TimeToLive);

    private async Task GiveBackAsync(long segment, int permits)
    {
        try
        {
            await client.DecrementAsync(_keys.Of(segment), (ulong)permits).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The client is disposed: nobody waits, and the permits stay taken.
        }
    }
}
