namespace MemcachedDistributedCache.Layout;

/// <summary>
/// Times that are read from memcached, Unix time in milliseconds. Whoever can write there chooses them, so they are
/// looked at before anything is computed with them: an item whose time lies outside these bounds is not one of this
/// cache's.
/// </summary>
internal static class StoredTime
{
    /// <summary>
    /// The beginning of the year 10000, the deadline of an entry whose caller said
    /// <see cref="DateTimeOffset.MaxValue"/>.
    /// </summary>
    private const long LatestDeadline = 253_402_300_800_000;

    /// <summary>
    /// The beginning of the year 9000. No option reaches a thousand years: what is added to such a time stays within
    /// the calendar.
    /// </summary>
    private const long LatestToAddTo = 221_845_392_000_000;

    /// <summary>This is the deadline of an entry: the time left until then fits a <see cref="TimeSpan"/>.</summary>
    public static bool IsDeadline(long milliseconds) => milliseconds is >= 0 and <= LatestDeadline;

    /// <summary>This is a time to which the longest retention can be added.</summary>
    public static bool CanBeAddedTo(long milliseconds) => milliseconds is >= 0 and <= LatestToAddTo;
}
