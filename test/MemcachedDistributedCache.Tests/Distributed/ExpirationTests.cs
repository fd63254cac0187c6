using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Tests.Distributed;

public sealed class ExpirationTests
{
    private const int ThirtyDays = 2_592_000;
    private static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, 250, TimeSpan.Zero);
    private static readonly TimeSpan Default = TimeSpan.FromMinutes(20);

    [Fact]
    public void Without_options_the_default_holds()
    {
        Expiration expiration = From(new());
        Assert.Equal((1202, 0u, false, false), (expiration.TimeToLive, expiration.Flags, expiration.HasDeadline, expiration.IsPast));
    }

    [Theory]
    [InlineData(0.001, 3)]
    [InlineData(0.5, 3)]
    [InlineData(1, 3)]
    [InlineData(1.25, 4)]
    [InlineData(60, 62)]
    [InlineData(ThirtyDays - 2, ThirtyDays)]
    public void A_relative_time_is_rounded_up_past_the_tick(double seconds, int expected)
    {
        Expiration expiration = From(new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(seconds) });
        Assert.Equal(expected, expiration.TimeToLive);
        Assert.True(expiration.HasDeadline);
        Assert.Equal(Now.AddSeconds(seconds).ToUnixTimeMilliseconds(), expiration.Deadline);
    }

    [Fact]
    public void Over_thirty_days_it_is_a_unix_time()
    {
        Assert.Equal(ThirtyDays, From(new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(ThirtyDays - 2) }).TimeToLive);
        Assert.Equal(
            Now.ToUnixTimeSeconds() + ThirtyDays + 1,
            From(new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(ThirtyDays - 1) }).TimeToLive);
        Assert.Equal(
            Now.ToUnixTimeSeconds() + (86400 * 365) + 2,
            From(new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromDays(365) }).TimeToLive);
    }

    [Theory]
    [InlineData(1970)]
    [InlineData(2090)]
    public void A_date_for_the_server_is_one_of_the_systems_clock_whatever_the_applications_shows(int year)
    {
        var now = new DateTimeOffset(year, 1, 1, 0, 0, 0, TimeSpan.Zero);
        foreach (DistributedCacheEntryOptions options in (DistributedCacheEntryOptions[])[
            new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromDays(40) },
            new() { AbsoluteExpiration = now + TimeSpan.FromDays(40) },
            new() { SlidingExpiration = TimeSpan.FromDays(40) }])
        {
            Expiration expiration = Expiration.From(options, Default, now, new ManualTimeProvider(Now));
            Assert.Equal(Now.ToUnixTimeSeconds() + (86400 * 40) + 2, expiration.TimeToLive);
            Assert.False(expiration.IsPast);
        }

        Assert.Equal(Now.ToUnixTimeSeconds() + (86400 * 40) + 2, Expiration.From(new(), TimeSpan.FromDays(40), now, new ManualTimeProvider(Now)).TimeToLive);
    }

    [Theory]
    [InlineData("relative")]
    [InlineData("absolute")]
    public void The_end_of_time_is_kept(string kind)
    {
        Expiration expiration = From(kind == "relative"
            ? new() { AbsoluteExpirationRelativeToNow = TimeSpan.MaxValue }
            : new() { AbsoluteExpiration = DateTimeOffset.MaxValue });
        Assert.Equal(DateTimeOffset.MaxValue.ToUnixTimeMilliseconds() + 1, expiration.Deadline); // rounded up
        Assert.Equal(int.MaxValue - 1, expiration.TimeToLive);
        Assert.False(expiration.IsPast);
    }

    [Theory]
    [InlineData(100 * 365)]
    [InlineData(10_675_199)]
    public void An_endless_window_is_readable_and_long(int days)
    {
        TimeSpan window = days == 10_675_199 ? TimeSpan.MaxValue : TimeSpan.FromDays(days);
        Expiration expiration = From(new() { SlidingExpiration = window });
        Assert.True(EntryFormat.TryRead(expiration.Flags, out EntryFormat format), "the entry could not be read again");
        Assert.True(format.SlidingSeconds > 1_000_000_000, $"the window became {format.SlidingSeconds} s");
        Assert.True(expiration.TimeToLive > Now.ToUnixTimeSeconds(), $"the time to live became {expiration.TimeToLive}");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(-1e9)]
    public void What_is_over_is_past(double seconds) => Assert.True(From(new() { AbsoluteExpiration = Now.AddSeconds(seconds) }).IsPast);

    [Fact]
    public void The_beginning_of_time_is_past() => Assert.True(From(new() { AbsoluteExpiration = DateTimeOffset.MinValue }).IsPast);

    [Theory]
    [InlineData(0.4, 3, 1)]
    [InlineData(60, 62, 60)]
    [InlineData(60.5, 63, 61)]
    public void A_window_is_whole_seconds(double seconds, int timeToLive, long window)
    {
        Expiration expiration = From(new() { SlidingExpiration = TimeSpan.FromSeconds(seconds) });
        Assert.True(EntryFormat.TryRead(expiration.Flags, out EntryFormat format));
        Assert.Equal((timeToLive, window, false), (expiration.TimeToLive, format.SlidingSeconds, format.HasDeadline));
    }

    [Theory]
    [InlineData(60, 30, 32)]
    [InlineData(30, 60, 32)]
    [InlineData(30, 0.1, 3)]
    public void Sliding_is_capped_by_absolute(double window, double absolute, int expected)
    {
        Expiration expiration = From(
            new() { SlidingExpiration = TimeSpan.FromSeconds(window), AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(absolute) });
        Assert.Equal(expected, expiration.TimeToLive);
        Assert.True(expiration.HasDeadline);
    }

    [Fact]
    public void Relative_goes_before_absolute()
        => Assert.Equal(62, From(new() { AbsoluteExpiration = Now.AddDays(1), AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) }).TimeToLive);

    [Fact]
    public void No_time_to_live_is_ever_zero()
    {
        Assert.Equal(2, Expiration.WireTimeOf(TimeSpan.FromSeconds(-5), Now));
        Assert.Equal(3, Expiration.WireTimeOf(TimeSpan.FromMilliseconds(1), Now));
        Assert.Equal(3, Expiration.WireTimeOfWindow(1, Now));
    }

    private static Expiration From(DistributedCacheEntryOptions options) => Expiration.From(options, Default, Now, new ManualTimeProvider(Now));
}
