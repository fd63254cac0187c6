using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Protocol;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Distributed;

/// <summary>
/// When an entry expires, as the server has to hear it: with <see cref="ClockSlackSeconds"/> added, so that the server never drops
/// an entry early. What must be exact is checked by the deadline in the entry.
/// </summary>
internal readonly struct Expiration
{
    /// <summary>
    /// memcached counts whole seconds, and reads its clock by a timer that fires about once a second and drifts. So an item stored with
    /// n seconds lives more than n - 2 and at most n + 1 of them.
    /// </summary>
    public const int ClockSlackSeconds = 2;

    private Expiration(int timeToLive, uint flags, long deadline, bool isPast)
    {
        TimeToLive = timeToLive;
        Flags = flags;
        Deadline = deadline;
        IsPast = isPast;
    }

    /// <summary>The time to live for the wire.</summary>
    public int TimeToLive { get; }

    /// <summary>The entry's client flags.</summary>
    public uint Flags { get; }

    /// <summary>Unix time in milliseconds after which the entry is gone, if its flags say that there is one.</summary>
    public long Deadline { get; }

    /// <summary>The entry would be expired before it was stored.</summary>
    public bool IsPast { get; }

    /// <summary>A deadline goes before the value.</summary>
    public bool HasDeadline => EntryFormat.HasPrefix(Flags);

    /// <summary>Reads a caller's options. A time relative to now goes before an absolute one, as in ASP.NET's own caches.</summary>
    /// <param name="options">They.</param>
    /// <param name="defaultTimeToLive">For an entry without any.</param>
    /// <param name="now">By the application's clock, which tells what has expired.</param>
    /// <param name="ioTime">The system's clock: a server takes a date for one of the system's, whatever the
    /// application's clock shows.</param>
    public static Expiration From(DistributedCacheEntryOptions options, TimeSpan defaultTimeToLive, DateTimeOffset now, TimeProvider ioTime)
    {
        DateTimeOffset? deadline = options.AbsoluteExpirationRelativeToNow is { } relative ? Add(now, relative) : options.AbsoluteExpiration;
        long window = options.SlidingExpiration is { } sliding ? CeilingSeconds(sliding) : 0;
        if (deadline is null && window == 0)
        {
            return new Expiration(WireTime.Of(CeilingSeconds(defaultTimeToLive) + ClockSlackSeconds, ioTime), 0, 0, isPast: false);
        }

        uint flags = EntryFormat.ToFlags(deadline is not null, window);
        if (deadline is null)
        {
            return new Expiration(WireTime.Of(WindowOf(flags) + ClockSlackSeconds, ioTime), flags, 0, isPast: false);
        }

        // Rounded up: an entry that was given half a millisecond has it.
        long milliseconds = Ceiling((deadline.Value - DateTimeOffset.UnixEpoch).Ticks, TimeSpan.TicksPerMillisecond);
        long left = milliseconds - now.ToUnixTimeMilliseconds();
        long seconds = CeilingSeconds(TimeSpan.FromMilliseconds(left)) + ClockSlackSeconds;
        if (window != 0)
        {
            seconds = Math.Min(seconds, WindowOf(flags) + ClockSlackSeconds);
        }

        return new Expiration(WireTime.Of(seconds, ioTime), flags, milliseconds, isPast: deadline <= now);
    }

    /// <summary>The time to live that gives an entry with this window its whole window again, by the system's clock.</summary>
    public static int WireTimeOfWindow(long windowSeconds, DateTimeOffset serverNow) => WireTime.Of(windowSeconds + ClockSlackSeconds, serverNow);

    /// <summary>The time to live of an entry that has this much left, by the system's clock.</summary>
    public static int WireTimeOf(TimeSpan left, DateTimeOffset serverNow) => WireTime.Of(Math.Max(0, CeilingSeconds(left)) + ClockSlackSeconds, serverNow);

    private static long WindowOf(uint flags) => EntryFormat.TryRead(flags, out EntryFormat format) ? format.SlidingSeconds : 0;

    private static DateTimeOffset Add(DateTimeOffset now, TimeSpan relative)
        => relative > DateTimeOffset.MaxValue - now ? DateTimeOffset.MaxValue : now + relative;

    private static long CeilingSeconds(TimeSpan span) => Ceiling(span.Ticks, TimeSpan.TicksPerSecond);

    private static long Ceiling(long ticks, long unit) => (ticks / unit) + (ticks % unit > 0 ? 1 : 0);
}
