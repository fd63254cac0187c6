namespace MemcachedDistributedCache.AspNetCore.RateLimiting;

/// <summary>The counters of one partition, one a segment, which all processes share.</summary>
internal interface IWindowCounters
{
    /// <summary>Adds to the segment's counter, and closes other segments, in one round trip.</summary>
    ValueTask<WindowAnswer> AskAsync(WindowAsk ask, CancellationToken cancellationToken);

    /// <summary>The same on the calling thread.</summary>
    WindowAnswer Ask(WindowAsk ask);

    /// <summary>Takes from a counter what was added and not granted. Nobody waits for that; if it fails, the permits stay taken.</summary>
    void GiveBack(long segment, int permits);
}

/// <summary>The question of an acquire.</summary>
/// <param name="Permits">How many permits the caller wants.</param>
/// <param name="Segment">The segment to whose counter is added.</param>
/// <param name="Take">How many are added.</param>
/// <param name="ToClose">Earlier segments of the window that have to be closed; mostly none.</param>
/// <param name="IsBatch">The process takes more than the caller wants. One call does so at a time.</param>
internal readonly record struct WindowAsk(int Permits, long Segment, int Take, long[] ToClose, bool IsBatch);

/// <summary>The answer to it.</summary>
/// <param name="Count">The segment's counter after the addition; null where that is not known.</param>
/// <param name="Closed">The counters of the closed segments, in the order in which they were asked.</param>
/// <param name="Failure">What is to be logged where something is not known.</param>
/// <param name="RetryAfter">How long until the server is tried again, where it is down.</param>
internal readonly record struct WindowAnswer(ulong? Count, ulong?[] Closed, string? Failure = null, TimeSpan? RetryAfter = null)
{
    /// <summary>Everything that was asked is answered.</summary>
    public bool IsWhole => Count is not null && Array.TrueForAll(Closed, static count => count is not null);
}
