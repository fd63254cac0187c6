using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.AspNetCore.RateLimiting;

/// <summary>The options of a limiter as they were when it was made, checked.</summary>
/// <param name="Name">The limiter's name: the policy's.</param>
/// <param name="Limit">Permits in a window.</param>
/// <param name="Segments">Segments in a window, 1 for a fixed one.</param>
/// <param name="Segment">The length of one.</param>
/// <param name="PermitsAtATime">How many are taken at once.</param>
/// <param name="OnOutage">What holds while memcached does not tell.</param>
/// <param name="BlockingAttempts">Whether attempts ask.</param>
internal sealed record RateLimiterSettings(
    string Name,
    int Limit,
    int Segments,
    TimeSpan Segment,
    int PermitsAtATime,
    MemcachedRateLimiterOutage OnOutage,
    bool BlockingAttempts)
{
    /// <summary>Longer than memcached's clock, which counts seconds, is ever wrong, and than clocks of machines should be apart.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(1);

    /// <summary>The length of a window. Where it has no whole number of ticks for each segment, it is that much longer.</summary>
    public TimeSpan Window => Segment * Segments;

    /// <summary>
    /// How long a counter lives from its first use on: as long as some window has its segment, and longer. With a sliding window a counter
    /// may be made by the closing of its segment, so late processes have to find the mark.
    /// </summary>
    public TimeSpan TimeToLive => Window + (Segments > 1 ? Segment : TimeSpan.Zero) + Margin;

    /// <exception cref="OptionsValidationException">An option is out of its range; the message has all of them.</exception>
    public static RateLimiterSettings From(string name, MemcachedRateLimiterOptions options)
    {
        string[] failures = [.. options.Validate()];
        return failures.Length != 0
            ? throw new OptionsValidationException(name, options.GetType(), failures)
            : new RateLimiterSettings(
                name,
                options.PermitLimit,
                options.Segments,
                new TimeSpan((options.Window.Ticks + options.Segments - 1) / options.Segments),
                options.PermitsAtATime,
                options.OnOutage,
                options.BlockingAttempts);
    }
}
