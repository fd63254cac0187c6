using MemcachedDistributedCache.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace MemcachedDistributedCache.AspNetCore.Tests.RateLimiting;

/// <summary>Options and keys.</summary>
public sealed class RateLimiterSettingsTests
{
    [Theory]
    [InlineData(0, "00:00:01", 1, 10, null, "PermitLimit")]
    [InlineData(1_000_000_001, "00:00:01", 1, 10, null, "PermitLimit")]
    [InlineData(10, "00:00:00.099", 1, 2, null, "Window")]
    [InlineData(10, "30.00:00:01", 1, 10, null, "Window")]
    [InlineData(10, "00:00:01", 0, 10, null, "PermitsAtATime")]
    [InlineData(10, "00:00:01", 11, 10, null, "PermitsAtATime")]
    [InlineData(10, "00:00:01", 1, 1, null, "SegmentsPerWindow")]
    [InlineData(10, "00:10:00", 1, 101, null, "SegmentsPerWindow")]
    [InlineData(10, "00:00:00.1", 1, 11, null, "SegmentsPerWindow")]
    [InlineData(10, "00:00:01", 1, 10, "", "ServiceKey")]
    public void A_wrong_option_is_named(int limit, string window, int atATime, int segments, string? serviceKey, string name)
    {
        OptionsValidationException thrown = Assert.Throws<OptionsValidationException>(() => new RateLimiterOptions().AddMemcachedSlidingWindow("policy", options =>
        {
            options.PermitLimit = limit;
            options.Window = TimeSpan.Parse(window);
            options.PermitsAtATime = atATime;
            options.SegmentsPerWindow = segments;
            options.ServiceKey = serviceKey;
        }));
        Assert.Contains($"MemcachedSlidingWindowRateLimiterOptions.{name} is ", Assert.Single(thrown.Failures), StringComparison.Ordinal);
    }

    [Fact]
    public void All_mistakes_are_told_at_once()
        => Assert.Equal(
            4,
            Assert.Throws<OptionsValidationException>(() => RateLimiterSettings.From(
                "name",
                new MemcachedFixedWindowRateLimiterOptions { PermitsAtATime = 2, OnOutage = (MemcachedRateLimiterOutage)7 })).Failures.Count());

    [Fact]
    public void Counters_outlive_the_windows_that_need_them()
    {
        Assert.Equal(TimeSpan.FromSeconds(70), Limiters.Fixed(1).TimeToLive);
        Assert.Equal(TimeSpan.FromSeconds(5 + 1 + 60), Limiters.Sliding(1, 5).TimeToLive);
        Assert.True(Limiters.Sliding(1, 3, static options => options.Window = TimeSpan.FromSeconds(1)).Window >= TimeSpan.FromSeconds(1));
    }

    /// <summary>Whatever a caller sends becomes a legal key, and no two of them the same one.</summary>
    [Fact]
    public void Hostile_partitions_have_legal_keys_of_their_own()
    {
        RateLimiterSettings settings = Limiters.Fixed(1);
        string?[] partitions =
        [
            null, "", " ", "a b", "a\r\nset x 0 0 1\r\n", "\0", "a:1", "a", new string('x', 10_000), "\ud800", "\ud801", "\ufffd", "1:a", "-1:",
        ];
        string[] keys = [.. partitions.Select(partition => new CounterKeys(settings, partition).Of(123).Text)];
        Assert.Equal(keys.Length, keys.Distinct(StringComparer.Ordinal).Count());
        Assert.All(keys, static key => Assert.Matches("^rl:[A-Za-z0-9_-]{43}:123$", key));
    }

    [Fact]
    public void Name_partition_and_window_tell_keys_apart_and_the_limit_does_not()
    {
        RateLimiterSettings settings = Limiters.Sliding(10, 5);
        string Key(RateLimiterSettings of, string? partition) => new CounterKeys(of, partition).Of(1).Text;
        Assert.Equal(Key(settings, "b"), Key(settings with { Limit = 20, PermitsAtATime = 2 }, "b"));
        Assert.NotEqual(Key(settings with { Name = "a" }, "b"), Key(settings with { Name = "ab" }, ""));
        Assert.NotEqual(Key(settings, "b"), Key(settings with { Segments = 4 }, "b"));
        Assert.NotEqual(Key(settings, "b"), Key(settings with { Segment = TimeSpan.FromSeconds(2) }, "b"));
    }

    [Fact]
    public void Segments_of_a_sliding_window_lie_on_one_server_and_fixed_windows_on_all()
    {
        var sliding = new CounterKeys(Limiters.Sliding(10, 5), "a");
        Assert.NotNull(sliding.Of(1).Routing);
        Assert.Equal(sliding.Of(1).Routing, sliding.Of(2).Routing);
        Assert.Null(new CounterKeys(Limiters.Fixed(10), "a").Of(1).Routing);
    }
}
