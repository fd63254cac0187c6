namespace MemcachedDistributedCache.AspNetCore;

/// <summary>The options that rate limiters on memcached have in common. They are read when the limiter or its policy is made.</summary>
public abstract class MemcachedRateLimiterOptions
{
    private protected MemcachedRateLimiterOptions()
    {
    }

    /// <summary>
    /// The most permits that all processes together grant in a window, 1 to 1 000 000 000. A process that is started with another limit
    /// counts on with the same counters. Required.
    /// </summary>
    public int PermitLimit { get; set; }

    /// <summary>
    /// The length of a window, 100 milliseconds to 30 days. Windows are cut from the clock's time in UTC, so a window of a day begins at
    /// midnight. All processes must have the same: another length has counters of its own. Required.
    /// </summary>
    public TimeSpan Window { get; set; }

    /// <summary>
    /// How many permits a process takes from memcached at once, 1 to <see cref="PermitLimit"/>. With 1 each acquire is one round trip.
    /// With more, those that are left are handed out by the process without asking, and are lost to the others at the end of their
    /// window (of their segment, with a sliding window) if nobody wants them. Default: 1.
    /// </summary>
    public int PermitsAtATime { get; set; } = 1;

    /// <summary>
    /// What happens while memcached does not tell how many permits are taken: its server is down or slow, or the answer was lost and the
    /// outcome is <see cref="MemcachedOutcome.Unknown"/>. Then a permit may have been taken and not be granted
    /// (<see cref="MemcachedRateLimiterOutage.Refuse"/>), or be granted and not have been taken. Default:
    /// <see cref="MemcachedRateLimiterOutage.Allow"/>.
    /// </summary>
    public MemcachedRateLimiterOutage OnOutage { get; set; }

    /// <summary>
    /// Whether <see cref="System.Threading.RateLimiting.RateLimiter.AttemptAcquire"/> asks memcached, which blocks its thread for a round
    /// trip. Otherwise it grants only permits that the process holds already, and <c>AcquireAsync</c> asks. ASP.NET Core attempts first
    /// and then waits, so policies of <c>AddMemcachedFixedWindow</c> and <c>AddMemcachedSlidingWindow</c> never block, whatever is set
    /// here. Set it to false for a limiter that is made for <c>RateLimiterOptions.GlobalLimiter</c>. Default: true.
    /// </summary>
    public bool BlockingAttempts { get; set; } = true;

    /// <summary>
    /// The service key of the <see cref="IMemcachedClient"/> that a policy uses, for one that <c>AddKeyedMemcachedClient</c> or a keyed
    /// cache has registered. Default: null, the application's own. Not for limiters that are made with <c>new</c>.
    /// </summary>
    public string? ServiceKey { get; set; }

    internal abstract int Segments { get; }

    /// <summary>The mistakes in the options, each with its remedy.</summary>
    internal virtual IEnumerable<string> Validate()
    {
        string type = GetType().Name;
        if (PermitLimit is < 1 or > 1_000_000_000)
        {
            yield return $"{type}.PermitLimit is {PermitLimit}: set it to a whole number from 1 to 1000000000, such as 100.";
        }

        if (Window < TimeSpan.FromMilliseconds(100) || Window > TimeSpan.FromDays(30))
        {
            yield return $"{type}.Window is {Window}: set it to a time from 00:00:00.1 to 30.00:00:00, such as 00:01:00.";
        }

        if (PermitsAtATime < 1 || (PermitsAtATime > 1 && PermitsAtATime > PermitLimit))
        {
            yield return $"{type}.PermitsAtATime is {PermitsAtATime}: set it to a whole number from 1 to PermitLimit, such as 1.";
        }

        if (OnOutage is not (MemcachedRateLimiterOutage.Allow or MemcachedRateLimiterOutage.Refuse))
        {
            yield return $"{type}.OnOutage is {OnOutage}: set it to Allow or Refuse.";
        }

        if (ServiceKey is { Length: 0 })
        {
            yield return $"{type}.ServiceKey is empty: name a client that AddKeyedMemcachedClient registered, or leave it null.";
        }
    }
}

/// <summary>
/// The options of a fixed window: at most so many permits in each window, all processes together. At the border of two windows up to
/// twice as many may be granted within a short time.
/// </summary>
public sealed class MemcachedFixedWindowRateLimiterOptions : MemcachedRateLimiterOptions
{
    internal override int Segments => 1;
}

/// <summary>
/// The options of a sliding window: at most so many permits in as many segments in a row as a window has, all processes together.
/// </summary>
public sealed class MemcachedSlidingWindowRateLimiterOptions : MemcachedRateLimiterOptions
{
    private const int MostSegments = 100;
    private static readonly TimeSpan ShortestSegment = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// Into how many segments a window is cut, 2 to 100, each of at least 10 milliseconds. Permits come back as their segment leaves the
    /// window. Each segment costs each process one more request. All processes must have the same. Default: 10.
    /// </summary>
    public int SegmentsPerWindow { get; set; } = 10;

    internal override int Segments => SegmentsPerWindow;

    private string Wrong => $"{nameof(MemcachedSlidingWindowRateLimiterOptions)}.SegmentsPerWindow is {SegmentsPerWindow}: ";

    internal override IEnumerable<string> Validate()
    {
        foreach (string failure in base.Validate())
        {
            yield return failure;
        }

        if (SegmentsPerWindow is < 2 or > MostSegments)
        {
            yield return Wrong + $"set it to a whole number from 2 to {MostSegments}, such as 10.";
        }
        else if (Window > TimeSpan.Zero && Window / SegmentsPerWindow < ShortestSegment)
        {
            yield return Wrong
                + $"set it to a lower number, or Window, which is {Window}, to a longer time, so that a segment has {ShortestSegment} or more.";
        }
    }
}
