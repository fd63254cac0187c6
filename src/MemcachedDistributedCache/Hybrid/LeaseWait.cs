namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The wait for what another process makes: how long it has lasted, and the pauses before each new question. Goes by the clock of
/// time limits.
/// </summary>
internal sealed class LeaseWait
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    /// <summary>The time that each further key adds to the longest pause: asking takes time as well.</summary>
    private static readonly TimeSpan PauseOfEach = TimeSpan.FromMicroseconds(10);

    private readonly HybridContext _context;
    private readonly long _since;
    private TimeSpan _pause = FirstPause;

    /// <summary>Begins a wait for so many keys.</summary>
    public LeaseWait(HybridContext context, int keys = 1)
    {
        _context = context;
        _since = context.IoTime.GetTimestamp();
        for (int i = 0; i < keys; i++)
        {
            context.Counters.Add(HybridEvent.LeaseWaited);
        }
    }

    /// <summary>It has lasted as long as a caller waits for another process's factory.</summary>
    public bool IsOver => Lasted >= _context.Options.MaximumLeaseWait;

    /// <summary>How long it has lasted.</summary>
    public TimeSpan Lasted => _context.IoTime.GetElapsedTime(_since);

    /// <summary>A pause, longer each time.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken, int keys = 1)
    {
#pragma warning disable CA5394 // Spreads those who wait.
        await Task.Delay(_pause * (0.75 + (Random.Shared.NextDouble() / 2)), _context.IoTime, cancellationToken).ConfigureAwait(false);
#pragma warning restore CA5394
        TimeSpan longest = LongestPause + (PauseOfEach * (keys - 1));
        _pause = _pause * 2 < longest ? _pause * 2 : longest;
    }
}
