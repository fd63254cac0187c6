namespace MemcachedDistributedCache.Embedded.Storage;

/// <summary>
/// memcached's clock: whole seconds, counted from a moment a little before the start so that "expired" is always a small
/// positive number and 0 stays free for "never".
/// </summary>
internal sealed class StoreClock
{
    /// <summary>Where the count starts; an item whose time is 1 expired before the server was born.</summary>
    public const uint Birth = 62;

    private const int RelativeLimit = 60 * 60 * 24 * 30;
    private const uint LongExpired = 1;

    private readonly TimeProvider _time;
    private readonly long _startStamp;
    private readonly long _zero;

    public StoreClock(TimeProvider time)
    {
        _time = time;
        _startStamp = time.GetTimestamp();
        _zero = time.GetUtcNow().ToUnixTimeSeconds() - Birth;
    }

    public uint Now => Birth + Uptime;

    public uint Uptime => (uint)_time.GetElapsedTime(_startStamp).TotalSeconds;

    public long UnixSeconds => _time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>An expiry time of the protocol as a second of this clock: 0 never, negative at once, over 30 days Unix time.</summary>
    public uint Expiry(int time, uint now) => time switch
    {
        0 => 0,
        < 0 => LongExpired,
        > RelativeLimit => time <= _zero ? LongExpired : (uint)(time - _zero),
        _ => now + (uint)time,
    };
}
