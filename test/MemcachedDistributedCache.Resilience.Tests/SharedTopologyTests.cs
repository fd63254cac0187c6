using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>One address, three engines behind it (<see cref="MemcachedTopology.Shared"/>).</summary>
public sealed class SharedTopologyTests : IAsyncLifetime
{
    /// <summary>The cache's clock runs so many times faster.</summary>
    private const int Haste = 20;

    private static readonly DistributedCacheEntryOptions Default = new();

    private readonly List<MemcachedProcess> _servers = [];
    private readonly RecordingLogger _logger = new();
    private SpreadingProxy? _proxy;

    private SpreadingProxy Proxy => _proxy!;

    public async Task InitializeAsync()
    {
        if (MemcachedBinary.SkipReason is null)
        {
            for (int i = 0; i < 3; i++)
            {
                _servers.Add(await MemcachedProcess.StartAsync());
            }

            _proxy = new SpreadingProxy(_servers);
        }
    }

    public async Task DisposeAsync()
    {
        await (_proxy?.DisposeAsync() ?? ValueTask.CompletedTask);
        foreach (MemcachedProcess server in _servers)
        {
            await server.DisposeAsync();
        }

        _logger.Dispose();
    }

    [MemcachedFact]
    public async Task Every_caller_reads_what_was_written_and_statistics_are_not_asked_for()
    {
        await using MemcachedCache cache = On(static options => options.OperationTimeout = TimeSpan.FromMinutes(1)); // three seconds of the machine's
        await Task.WhenAll(
            Enumerable
                .Range(0, 64)
                .Select(async caller =>
                {
                    await Task.Yield();
                    for (int i = 0; i < 50; i++)
                    {
                        string key = $"{caller}-{i % 7}";
                        byte[] value = [.. BitConverter.GetBytes(caller), .. new byte[i % 9 == 8 ? 100_000 : i]];
                        await cache.SetAsync(key, value, Default);
                        Assert.Equal(value, await cache.GetAsync(key));
                    }

                    await cache.RemoveAsync($"{caller}-0");
                    Assert.Null(await cache.GetAsync($"{caller}-0"));
                }));
        for (int i = 0; i < 50; i++)
        {
            cache.Set("blocking", BitConverter.GetBytes(i), Default);
            Assert.Equal(BitConverter.GetBytes(i), cache.Get("blocking"));
        }

        foreach (MemcachedProcess server in _servers)
        {
            Assert.True(int.Parse((await server.StatsAsync())["curr_items"]) > 50, "each server has its share");
        }

        AssertNoFence();
        Assert.DoesNotContain("stats", Proxy.Heard);
        Assert.Empty(_logger.Texts(LogLevel.Warning));
    }

    [MemcachedFact]
    public async Task A_change_whose_connection_breaks_is_made_up_for_by_removal_alone()
    {
        await using MemcachedCache cache = On(static options => options.MaximumRetries = 0);
        await cache.SetAsync("key", [1], Default);
        bool isLost = false;
        Proxy.IsLost = line => line.StartsWith("ms shared:|key ", StringComparison.Ordinal) && !Interlocked.Exchange(ref isLost, true);
        await cache.SetAsync("key", [2], Default);
        Assert.True(isLost);
        await AssertMadeUpForAsync(cache);
    }

    [MemcachedFact]
    public async Task A_change_that_was_late_is_not_settled_by_the_answer_to_the_next_one()
    {
        await using MemcachedCache cache = On(static options => options.MaximumRetries = 0);
        await cache.SetAsync("key", [1], Default);
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Proxy.Holding = line => line.StartsWith("ms ", StringComparison.Ordinal) ? held.Task : Task.CompletedTask;
        await cache.SetAsync("key", [2], Default);
        held.SetResult();
        await cache.SetAsync("key", [3], Default);
        await AssertMadeUpForAsync(cache);
    }

    [MemcachedFact]
    public async Task After_too_many_lost_changes_nothing_is_read_for_a_minute()
    {
        var time = new HastyTimeProvider(Haste);
        await using MemcachedCache cache = On(
            static options =>
            {
                options.MaximumRetries = 0;
                options.MaximumUncertainKeys = 2;
            },
            time);
        await cache.SetAsync("other", [1], Default);
        Assert.Equal([1], await cache.GetAsync("other"));
        Proxy.IsLost = static line => line.Contains("|lost", StringComparison.Ordinal);
        for (int i = 0; i < 4; i++)
        {
            await cache.SetAsync($"lost{i}", [1], Default);
        }

        Proxy.IsLost = static _ => false;
        await Eventually.True(() => cache.GetNodes()[0] is { AreAllKeysUncertain: true, UncertainKeys: 0, State: MemcachedNodeState.Up }, "the pause begins");
        long since = time.GetTimestamp();
        Assert.Null(await cache.GetAsync("other"));
        await cache.ReadableAsync();
        Assert.InRange(time.GetElapsedTime(since), TimeSpan.FromSeconds(50), TimeSpan.FromMinutes(5));

        // Weaker than with a fence: it is not known to be newer than what was lost.
        Assert.Equal([1], await cache.GetAsync("other"));
        AssertNoFence();
        await _logger.SeesAsync("is read again; what it had stored before is too", 1);
    }

    [MemcachedFact]
    public async Task An_engine_that_is_killed_takes_its_own_keys_along_and_nothing_older_comes_back()
    {
        await using MemcachedCache cache = On(static options => options.MaximumRetries = 0);
        await SetAllAsync(cache, 1);
        await _servers[1].KillAsync();
        await SetAllAsync(cache, 2);
        await AssertNothingOlderAsync(cache, 2, key => Proxy.OwnerOf("shared:|" + key) != 1);
        await _servers[1].StartAgainAsync();
        await cache.ReadableAsync();
        await AssertNothingOlderAsync(cache, 2);
        await SetAllAsync(cache, 3);
        await AssertNothingOlderAsync(cache, 3, static _ => true);
        AssertNoFence();
    }

    [MemcachedFact]
    public async Task An_engine_that_freezes_and_does_late_what_it_was_asked_brings_nothing_older_back()
    {
        await using MemcachedCache cache = On(static options => options.MaximumRetries = 0);
        await SetAllAsync(cache, 1);
        _servers[1].Freeze();
        await SetAllAsync(cache, 2);
        await SetAllAsync(cache, 3);
        await AssertNothingOlderAsync(cache, 3);
        _servers[1].Thaw();
        await AssertNothingOlderAsync(cache, 3);
        await cache.ReadableAsync();
        await AssertNothingOlderAsync(cache, 3);
        await SetAllAsync(cache, 4);
        await AssertNothingOlderAsync(cache, 4, static _ => true);
        AssertNoFence();
    }

    [MemcachedFact]
    public async Task A_lease_outlives_the_connection_by_which_it_was_won()
    {
        await using ServiceProvider first = Hybrid();
        await using ServiceProvider second = Hybrid();
        var made = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<string> making = first.GetRequiredService<HybridCache>().GetOrCreateAsync("made", async _ =>
        {
            running.TrySetResult();
            return await made.Task;
        }).AsTask();
        await running.Task.WaitAsync(Eventually.Limit);
        Proxy.Cut();
        MemcachedCache below = first.GetRequiredService<MemcachedCache>();
        await Eventually.True(
            () =>
            {
                below.SetAsync("sign of life", [1], Default).GetAwaiter().GetResult();
                return below.GetAsync("sign of life").GetAwaiter().GetResult() is [1];
            },
            "another connection is open");
        made.SetResult("value");
        Assert.Equal("value", await making.WaitAsync(Eventually.Limit));
        Assert.Equal("value", await second.GetRequiredService<HybridCache>().GetOrCreateAsync("made", static _ => ValueTask.FromResult("another")));
    }

    [MemcachedFact]
    public async Task A_tag_is_invalidated_for_other_processes_also_across_an_outage()
    {
        await using ServiceProvider first = Hybrid();
        await using ServiceProvider second = Hybrid();
        HybridCache one = first.GetRequiredService<HybridCache>();
        HybridCache other = second.GetRequiredService<HybridCache>();
        Assert.Equal("a", await one.GetOrCreateAsync("tagged", static _ => ValueTask.FromResult("a"), tags: ["tag"]));
        Assert.Equal("a", await other.GetOrCreateAsync("tagged", static _ => ValueTask.FromResult("b"), tags: ["tag"]));
        Proxy.Cut();
        await one.RemoveByTagAsync("tag");
        await Eventually.True(
            () => other.GetOrCreateAsync("tagged", static _ => ValueTask.FromResult("c"), tags: ["tag"]).AsTask().GetAwaiter().GetResult() == "c",
            "the other process makes the value anew");
    }

    private static Task SetAllAsync(MemcachedCache cache, byte version)
        => Task.WhenAll(Enumerable.Range(0, 30).Select(key => cache.SetAsync($"key{key}", [version], Default)));

    private static Task AssertNothingOlderAsync(MemcachedCache cache, byte version, Func<string, bool>? isThere = null)
        => Task.WhenAll(Enumerable.Range(0, 30).Select(async i =>
        {
            string key = $"key{i}";
            byte[]? value = await cache.GetAsync(key);
            Assert.True(value is null ? isThere?.Invoke(key) != true : value[0] == version, $"{key} is {value?[0]} instead of {version}");
        }));

    private async Task AssertMadeUpForAsync(MemcachedCache cache)
    {
        Assert.Null(await cache.GetAsync("key"));
        await cache.ReadableAsync();
        Assert.Null(await cache.GetAsync("key"));
        Assert.Equal(2, Proxy.Heard.Count(static line => line.StartsWith("md shared:|key ", StringComparison.Ordinal)));
        await cache.SetAsync("key", [4], Default);
        Assert.Equal([4], await cache.GetAsync("key"));
        AssertNoFence();
    }

    private void AssertNoFence() => Assert.DoesNotContain(Proxy.Heard, static line => line.Contains("#?", StringComparison.Ordinal));

    private MemcachedCacheOptions Options() => new()
    {
        Servers = [Proxy.Server],
        Topology = MemcachedTopology.Shared,
        Namespace = "shared:",
        OperationTimeout = TimeSpan.FromSeconds(20),
        ConnectTimeout = TimeSpan.FromSeconds(40),
    };

    private MemcachedCache On(Action<MemcachedCacheOptions>? configure = null, TimeProvider? time = null)
    {
        MemcachedCacheOptions options = Options();
        configure?.Invoke(options);
        return new MemcachedCache(options, _logger, null, null, null, ioTime: time ?? new HastyTimeProvider(Haste));
    }

    private ServiceProvider Hybrid()
        => new ServiceCollection()
            .AddMemcachedHybridCache(options =>
            {
                options.Servers = [Proxy.Server];
                options.Topology = MemcachedTopology.Shared;
                options.Namespace = "shared:";
            })
            .BuildServiceProvider();
}
