using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>Expiry on a real memcached whose clock, like the client's, stands still until the test moves it.</summary>
public sealed class ExpiryTests : IAsyncLifetime
{
    private const string Namespace = "expiry";
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly ManualTimeProvider _clientClock = new(Start);
    private readonly ServerClock _serverClock = new(Start);
    private MemcachedProcess _server = null!;
    private MemcachedCache _cache = null!;

    public async Task InitializeAsync()
    {
        if (ServerClock.SkipReason is null)
        {
            _server = await _serverClock.StartAsync();
            _cache = Caches.On([_server.Server], options =>
            {
                options.IdleTimeout = Timeout.InfiniteTimeSpan;
                options.Namespace = Namespace;
            }, _clientClock, _clientClock);
            await Eventually.True(() => _cache.GetNodes()[0].State == MemcachedNodeState.Up, "the node is up");
        }
    }

    public async Task DisposeAsync()
    {
        if (_cache is not null)
        {
            await _cache.DisposeAsync();
        }

        await _serverClock.DisposeAsync();
    }

    [ServerClockTheory]
    [InlineData(1)]
    [InlineData(250)]
    [InlineData(999)]
    [InlineData(1000)]
    [InlineData(1500)]
    [InlineData(60_000)]
    [InlineData(2_592_000_000)] // 30 days: the last that is sent as it is
    [InlineData(2_592_001_000)] // and the first that is sent as a Unix time
    [InlineData(31_536_000_000)]
    public async Task An_absolute_expiration_is_exact_to_the_millisecond(long milliseconds)
    {
        await MoveAsync(TimeSpan.FromMilliseconds(700)); // in the middle of the server's second
        await _cache.SetAsync(
            "relative",
            [1],
            new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromMilliseconds(milliseconds) });
        await _cache.SetAsync(
            "absolute",
            [1],
            new DistributedCacheEntryOptions { AbsoluteExpiration = _clientClock.GetUtcNow().AddMilliseconds(milliseconds) });
        await MoveAsync(TimeSpan.FromMilliseconds(milliseconds - 1));
        Assert.NotNull(await _cache.GetAsync("relative"));
        Assert.NotNull(await _cache.GetAsync("absolute"));
        await MoveAsync(TimeSpan.FromMilliseconds(1));
        Assert.Null(await _cache.GetAsync("relative"));
        Assert.Null(await _cache.GetAsync("absolute"));
        await MoveAsync(TimeSpan.FromSeconds(4));
        Assert.Equal("0", await LiveItemsAsync("relative", "absolute"));
    }

    [ServerClockFact]
    public async Task An_expiration_in_the_past_removes_the_entry()
    {
        foreach (TimeSpan ago in (TimeSpan[])[TimeSpan.Zero, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(100)])
        {
            await _cache.SetAsync("key", [1], new DistributedCacheEntryOptions());
            await _cache.SetAsync("key", [2], new DistributedCacheEntryOptions { AbsoluteExpiration = _clientClock.GetUtcNow() - ago });
            Assert.Null(await _cache.GetAsync("key"));
        }
    }

    [ServerClockFact]
    public async Task An_entry_without_options_has_the_default_time_to_live()
    {
        await _cache.SetAsync("key", [1], new DistributedCacheEntryOptions());
        await MoveAsync(TimeSpan.FromMinutes(20));
        Assert.NotNull(await _cache.GetAsync("key"));
        await MoveAsync(TimeSpan.FromSeconds(3));
        Assert.Null(await _cache.GetAsync("key"));
    }

    [ServerClockFact]
    public async Task The_far_future_is_stored_and_has_an_end()
    {
        await _cache.SetAsync("never", [1], new DistributedCacheEntryOptions { AbsoluteExpiration = DateTimeOffset.MaxValue });
        await _cache.SetAsync("longest", [1], new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.MaxValue });
        await _cache.SetAsync("window", [1], new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromDays(3650) });
        foreach (string key in (string[])["never", "longest", "window"])
        {
            Assert.NotNull(await _cache.GetAsync(key));
            Assert.DoesNotContain(" t-1", await RawAsync(key), StringComparison.Ordinal);
        }

        await MoveAsync(TimeSpan.FromDays(2000));
        Assert.NotNull(await _cache.GetAsync("never"));
        Assert.NotNull(await _cache.GetAsync("window"));
    }

    [ServerClockTheory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(3600)]
    [InlineData(5_000_000)] // more than 30 days
    public async Task A_sliding_entry_lives_as_long_as_it_is_read_and_goes_when_it_is_not(int seconds)
    {
        var window = TimeSpan.FromSeconds(seconds);
        await _cache.SetAsync("key", [1], new DistributedCacheEntryOptions { SlidingExpiration = window });
        for (int i = 0; i < 20; i++)
        {
            await MoveAsync(window - TimeSpan.FromMilliseconds(1));
            Assert.NotNull(await _cache.GetAsync("key"));
            await _cache.QuietAsync();
        }

        await MoveAsync(window + TimeSpan.FromSeconds(seconds > 65535 ? (seconds / 65535) + 4 : 3));
        Assert.Null(await _cache.GetAsync("key"));
    }

    [ServerClockFact]
    public async Task A_window_is_capped_by_the_absolute_expiration()
    {
        await _cache.SetAsync("key", [1], new DistributedCacheEntryOptions
        {
            SlidingExpiration = TimeSpan.FromSeconds(10),
            AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(35),
        });
        for (int i = 0; i < 6; i++)
        {
            await MoveAsync(TimeSpan.FromSeconds(5));
            Assert.NotNull(await _cache.GetAsync("key"));
            await _cache.RefreshAsync("key");
            await _cache.QuietAsync();
        }

        await MoveAsync(TimeSpan.FromMilliseconds(4999));
        Assert.NotNull(await _cache.GetAsync("key"));
        await MoveAsync(TimeSpan.FromMilliseconds(1));
        Assert.Null(await _cache.GetAsync("key"));

        // And one that nobody reads goes by its window, long before.
        await _cache.SetAsync("unread", [1], new DistributedCacheEntryOptions
        {
            SlidingExpiration = TimeSpan.FromSeconds(10),
            AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1),
        });
        await MoveAsync(TimeSpan.FromSeconds(13));
        Assert.Null(await _cache.GetAsync("unread"));
    }

    [ServerClockTheory(MetaOnly = "A classic command tells the flags of an item with its value.")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Refresh_moves_the_window_and_downloads_no_value(bool synchronous)
    {
        byte[] value = new byte[500_000];
        await _cache.SetAsync("key", value, new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromSeconds(10) });
        long before = await StatAsync("bytes_written");
        for (int i = 0; i < 10; i++)
        {
            await MoveAsync(TimeSpan.FromSeconds(9));
            if (synchronous)
            {
                _cache.Refresh("key");
            }
            else
            {
                await _cache.RefreshAsync("key");
            }
        }

        Assert.InRange(await StatAsync("bytes_written") - before, 1, 100_000); // the stats themselves are most of it
        Assert.Equal(value, await _cache.GetAsync("key"));
        await _cache.RefreshAsync("nobody");
    }

    [ServerClockFact]
    public async Task Refresh_leaves_other_entries_as_they_are()
    {
        await _cache.SetAsync("absolute", [1], new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(10) });
        await _cache.SetAsync("default", [1], new DistributedCacheEntryOptions());
        await MoveAsync(TimeSpan.FromSeconds(9));
        await _cache.RefreshAsync("absolute");
        await _cache.RefreshAsync("default");
        await MoveAsync(TimeSpan.FromSeconds(1));
        Assert.Null(await _cache.GetAsync("absolute"));
        await MoveAsync(TimeSpan.FromMinutes(20));
        Assert.Null(await _cache.GetAsync("default"));
    }

    [ServerClockFact(MetaOnly = "No classic command tells the time to live: see ClassicTests.")]
    public async Task A_sliding_read_is_one_round_trip_and_at_most_one_touch_a_second_behind_it()
    {
        await _cache.SetAsync("key", [1], new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromSeconds(30) });
        for (int second = 0; second < 5; second++)
        {
            long touches = await StatAsync("cmd_touch");
            long reads = await StatAsync("get_hits");
            await Task.WhenAll(Enumerable.Range(0, 64).Select(async _ =>
            {
                for (int i = 0; i < 20; i++)
                {
                    Assert.NotNull(await _cache.GetAsync("key"));
                }
            }));
            await _cache.QuietAsync();
            Assert.InRange(await StatAsync("cmd_touch") - touches, second == 0 ? 0 : 1, second == 0 ? 0 : 1);
            Assert.InRange(await StatAsync("get_hits") - reads, 64 * 20, (64 * 20) + 1);
            await MoveAsync(TimeSpan.FromSeconds(1));
        }
    }

    [ServerClockFact]
    public async Task Every_item_has_a_time_to_live()
    {
        await _cache.SetAsync("default", [1], new DistributedCacheEntryOptions());
        await _cache.SetAsync("sliding", [1], new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(1) });
        await _cache.SetAsync(
            "absolute",
            [1],
            new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) });
        _cache.Set(
            "both",
            [1],
            new DistributedCacheEntryOptions
            {
                SlidingExpiration = TimeSpan.FromMinutes(1),
                AbsoluteExpirationRelativeToNow = TimeSpan.FromDays(60),
            });
        foreach (string key in (string[])["default", "sliding", "absolute", "both"])
        {
            await _cache.GetAsync(key);
            await _cache.RefreshAsync(key);
            Assert.DoesNotContain(" t-1", await RawAsync(key), StringComparison.Ordinal);
        }
    }

    private async Task MoveAsync(TimeSpan by)
    {
        await _serverClock.AdvanceAsync(by);
        _clientClock.Jump(by);
    }

    private async Task<long> StatAsync(string name) => long.Parse((await _server.StatsAsync())[name]);

    private async Task<string> LiveItemsAsync(params string[] keys)
    {
        int live = 0;
        foreach (string key in keys)
        {
            live += (await RawAsync(key)).StartsWith("HD", StringComparison.Ordinal) ? 1 : 0;
        }

        return live.ToString();
    }

    /// <summary>What the server itself says of an item.</summary>
    private Task<string> RawAsync(string key) => _server.CommandAsync($"mg {Namespace}|{key} t f");
}
