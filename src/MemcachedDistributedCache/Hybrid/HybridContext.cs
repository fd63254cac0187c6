using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The surroundings of all parts of one hybrid cache: the validated options, the clocks, where they count and log, and whether the cache has
/// ended. It does nothing itself. It also stands for the cache where two caches have to be told apart.
/// </summary>
/// <param name="options">The options; nobody changes them any more.</param>
/// <param name="time">The application's clock: it decides what has expired, and how old a copy or a tag's version is.</param>
/// <param name="ioTime">
/// The clock of leases, pauses and time limits: the system's, which goes on whatever the application does with its own.
/// </param>
/// <param name="logger">Where to log.</param>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so there is nothing to free; disposing it would race with those who ask for its token.
internal sealed class HybridContext(MemcachedHybridCacheOptions options, TimeProvider time, TimeProvider ioTime, ILogger logger)
#pragma warning restore CA1001
{
    private readonly CancellationTokenSource _ended = new();

    public MemcachedHybridCacheOptions Options => options;

    public TimeProvider Time => time;

    public TimeProvider IoTime => ioTime;

    public ILogger Logger => logger;

    public HybridCounters Counters { get; } = new();

    /// <summary>How many requests of one call may be under way at once.</summary>
    public FanOutWidth Width { get; init; } = FanOutWidth.Largest;

    /// <summary>How many tags are remembered.</summary>
    public int MaximumKnownTags { get; init; } = 100_000;

    /// <summary>This moment, as a timestamp of the application's clock.</summary>
    public long Now => time.GetTimestamp();

    /// <summary>This moment, in milliseconds of Unix time, as entries carry it.</summary>
    public long UnixTime => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Cancelled when the cache ends.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>The cache has ended: factories may still run, and what they give is kept nowhere.</summary>
    public bool HasEnded => _ended.IsCancellationRequested;

    /// <summary>The cache ends.</summary>
    public void End() => _ = _ended.CancelAsync();

    /// <summary>Throws what a caller of a disposed cache gets.</summary>
    public static void ThrowIf(bool isDisposed)
    {
#pragma warning disable CA1513 // The caller knows the cache, not its parts.
        if (isDisposed)
        {
            throw new ObjectDisposedException("MemcachedHybridCache");
        }
#pragma warning restore CA1513
    }
}
