using System.Globalization;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>
/// The keys of a node that is down are served by the next, for a short while, and nothing that is older than a later
/// write.
/// </summary>
public sealed class GutterTests : IAsyncLifetime
{
    private const int Keys = 60;

    private static readonly DistributedCacheEntryOptions Default = new();

    private readonly List<MemcachedProcess> _servers = [];
    private readonly List<FaultProxy> _proxies = [];

    public async Task InitializeAsync()
    {
        for (int i = 0; i < 3 && MemcachedBinary.SkipReason is null; i++)
        {
            _servers.Add(await MemcachedProcess.StartAsync());
            _proxies.Add(await FaultProxy.StartAsync(_servers[i].EndPoint));
        }
    }

    public async Task DisposeAsync()
    {
        foreach (FaultProxy proxy in _proxies)
        {
            await proxy.DisposeAsync();
        }

        foreach (MemcachedProcess server in _servers)
        {
            await server.DisposeAsync();
        }
    }

    [MemcachedFact]
    public async Task The_next_node_serves_what_is_written_while_one_is_down()
    {
        await using MemcachedCache cache = Cache();
        await SetAllAsync(cache, 1);

        // Synchronous connections are open by now: where one is opened during an outage, what was stored in the place
        // of others before is not read.
        Assert.All(Enumerable.Range(0, Keys), key => Assert.NotNull(cache.Get(Name(key))));
        await CutAsync(cache, 0);
        int missed = (await ReadAllAsync(cache)).Count(static version => version is null);
        Assert.InRange(missed, 5, Keys - 5);
        long before = cache.GetNodes().Sum(static node => node.GutterHits);
        await SetAllAsync(cache, 2);
        Assert.All(await ReadAllAsync(cache), static version => Assert.Equal(2, version));
        Assert.All(Enumerable.Range(0, Keys), key => Assert.Equal(new byte[] { 2 }, cache.Get(Name(key))));
        Assert.Equal(2 * missed, cache.GetNodes().Sum(static node => node.GutterHits) - before);
        Assert.Equal(0, cache.GetNodes()[0].GutterHits);

        await HealAsync(cache, 0);
        Assert.Equal(missed, (await ReadAllAsync(cache)).Count(static version => version is null));
        Assert.All(await ReadAllAsync(cache), static version => Assert.True(version is null or 2, $"version {version} is older than the last write"));
    }

    [MemcachedFact]
    public async Task From_the_moment_of_its_return_a_node_gives_out_nothing_that_was_overwritten_meanwhile()
    {
        await using MemcachedCache cache = Cache();
        await SetAllAsync(cache, 1);
        await CutAsync(cache, 0);
        await SetAllAsync(cache, 2);
        await _proxies[0].ApplyAsync(Fault.None);
        for (bool settled = false; !settled;)
        {
            settled = cache.GetNodes()[0] is { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false };
            Assert.All(await ReadAllAsync(cache), static version => Assert.True(version is null or 2, $"version {version}"));
        }
    }

    [MemcachedFact]
    public async Task What_a_stand_in_held_is_not_read_in_the_next_outage()
    {
        await using MemcachedCache cache = Cache();
        await CutAsync(cache, 0);
        await SetAllAsync(cache, 1);
        Assert.All(await ReadAllAsync(cache), static version => Assert.Equal(1, version));
        await HealAsync(cache, 0);
        await SetAllAsync(cache, 2);

        // The gutter nodes have version 1 for some seconds more.
        await CutAsync(cache, 0);
        Assert.All(await ReadAllAsync(cache), static version => Assert.True(version is null or 2, $"version {version} of an earlier outage"));
        await SetAllAsync(cache, 3);
        Assert.All(await ReadAllAsync(cache), static version => Assert.Equal(3, version));
    }

    [MemcachedFact]
    public async Task A_second_outage_takes_of_the_first_gutter_only_what_the_second_node_held()
    {
        await using MemcachedCache cache = Cache();
        await SetAllAsync(cache, 1);
        await CutAsync(cache, 0);
        await SetAllAsync(cache, 2);
        MemcachedNodeStatus before = cache.GetNodes()[2];
        Assert.All(await ReadAllAsync(cache), static version => Assert.Equal(2, version));
        MemcachedNodeStatus healthy = cache.GetNodes()[2];
        Assert.True(healthy.GutterHits - before.GutterHits > 2, "the third node holds some of the first one's keys");

        await CutAsync(cache, 1);
        int?[] versions = await ReadAllAsync(cache);
        Assert.Equal(healthy.Hits - before.Hits, versions.Count(static version => version is not null));
        Assert.All(versions, static version => Assert.True(version is null or 2, $"version {version}"));
        await SetAllAsync(cache, 3);
        Assert.All(await ReadAllAsync(cache), static version => Assert.Equal(3, version));

        await _proxies[1].ApplyAsync(Fault.None);
        await HealAsync(cache, 0);
        Assert.All(await ReadAllAsync(cache), static version => Assert.True(version is null or 3, $"version {version}"));
        await CutAsync(cache, 0);
        Assert.All(await ReadAllAsync(cache), static version => Assert.True(version is null or 3, $"version {version}"));
    }

    [MemcachedFact]
    public async Task A_stand_in_that_was_away_itself_gives_out_nothing_of_before()
    {
        await using MemcachedCache cache = Cache();
        await CutAsync(cache, 0);
        await SetAllAsync(cache, 1);
        await CutAsync(cache, 1);
        await SetAllAsync(cache, 2);
        Assert.All(await ReadAllAsync(cache), static version => Assert.Equal(2, version));
        await _proxies[1].ApplyAsync(Fault.None);
        for (bool settled = false; !settled;)
        {
            settled = cache.GetNodes()[1] is { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false };
            Assert.All(await ReadAllAsync(cache), static version => Assert.True(version is null or 2, $"version {version}"));
        }

        await HealAsync(cache, 0);
        Assert.All(await ReadAllAsync(cache), static version => Assert.True(version is null or 2, $"version {version}"));
    }

    [MemcachedFact]
    public async Task What_is_removed_while_a_node_is_down_is_gone_from_its_stand_in_and_from_it()
    {
        await using MemcachedCache cache = Cache();
        await SetAllAsync(cache, 1);
        await CutAsync(cache, 0);
        await SetAllAsync(cache, 2);
        for (int key = 0; key < Keys; key++)
        {
            await cache.RemoveAsync(Name(key));
        }

        Assert.All(await ReadAllAsync(cache), static version => Assert.Null(version));
        await HealAsync(cache, 0);
        Assert.All(await ReadAllAsync(cache), static version => Assert.Null(version));
    }

    [MemcachedFact]
    public async Task What_a_stand_in_holds_lives_no_longer_for_being_read()
    {
        var sliding = new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(20) };
        await using MemcachedCache cache = Cache(options => options.GutterTimeToLive = TimeSpan.FromSeconds(12.5));
        await CutAsync(cache, 0);
        for (int key = 0; key < Keys; key++)
        {
            await cache.SetAsync(Name(key), [1], sliding);
        }

        for (int i = 0; i < 3; i++)
        {
            Assert.All(await ReadAllAsync(cache), static version => Assert.Equal(1, version));
            for (int key = 0; key < Keys; key++)
            {
                await cache.RefreshAsync(Name(key));
            }
        }

        await cache.QuietAsync();
        int held = 0;
        for (int key = 0; key < Keys; key++)
        {
            string first = await _servers[1].CommandAsync($"mg gutter|{Name(key)} t");
            string second = await _servers[2].CommandAsync($"mg gutter|{Name(key)} t");
            int[] lives =
            [
                .. new[] { first, second }
                    .Where(static reply => reply.StartsWith("HD", StringComparison.Ordinal))
                    .Select(static reply => int.Parse(reply.Trim()[4..], CultureInfo.InvariantCulture)),
            ];
            Assert.Single(lives);
            held += lives[0] <= 13 ? 1 : 0;
            Assert.True(lives[0] is <= 13 or > 1000, $"a life of {lives[0]} s");
        }

        Assert.InRange(held, 5, Keys - 5);
    }

    [MemcachedFact]
    public async Task With_None_they_are_misses()
    {
        await using MemcachedCache cache = Cache(static options => options.Failover = MemcachedFailover.None);
        await SetAllAsync(cache, 1);
        await CutAsync(cache, 0, standsIn: false);
        await SetAllAsync(cache, 2);
        Assert.InRange((await ReadAllAsync(cache)).Count(static version => version is null), 5, Keys - 5);
        Assert.Equal(0, cache.GetNodes().Sum(static node => node.GutterHits));
    }

    [MemcachedFact]
    public async Task With_every_node_down_a_call_fails_at_once_and_says_when_to_come_again()
    {
        await using MemcachedCache cache = Cache(static options =>
        {
            options.FailureMode = MemcachedFailureMode.Throw;
            options.ReconnectDelay = TimeSpan.FromSeconds(20);
            options.MaximumReconnectDelay = TimeSpan.FromSeconds(20);
        });
        await SetAllAsync(cache, 1);
        for (int node = 0; node < 3; node++)
        {
            await CutAsync(cache, node, standsIn: false);
        }

        foreach (Func<Task> call in (Func<Task>[])[() => cache.GetAsync("k"), () => cache.SetAsync("k", [1], Default), () => cache.RemoveAsync("k"), () => cache.RefreshAsync("k")])
        {
            Task task = call();
            Assert.True(task.IsCompleted, "it waits for a node that is known to be down");
            MemcachedUnavailableException failure = await Assert.ThrowsAsync<MemcachedUnavailableException>(() => task);
            Assert.Equal((MemcachedFailureReason.Unavailable, false), (failure.Reason, failure.WasSent));
            Assert.InRange(failure.RetryAfter!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(25));
        }
    }

    private MemcachedCache Cache(Action<MemcachedCacheOptions>? configure = null) => Caches.On(_proxies.Select(static proxy => proxy.Server), options =>
    {
        options.Namespace = "gutter";
        options.FailureMode = MemcachedFailureMode.Degrade;
        options.OperationTimeout = TimeSpan.FromSeconds(10);
        options.ReconnectDelay = TimeSpan.FromMilliseconds(10);
        options.MaximumReconnectDelay = TimeSpan.FromMilliseconds(100);
        configure?.Invoke(options);
    });

    private async Task CutAsync(MemcachedCache cache, int node, bool standsIn = true)
    {
        await Eventually.True(() => cache.GetNodes()[node].State == MemcachedNodeState.Up, "the node is up");
        await _proxies[node].ApplyAsync(Fault.Refuse);
        _proxies[node].DropConnections(reset: true);
        await Eventually.True(() => cache.GetNodes()[node].State == MemcachedNodeState.Down, "the node is down");

        // What is stored in its place is read as soon as each gutter node has told its number.
        await Eventually.True(() => !standsIn || Enumerable.Range(0, 40).All(key => SetAndGet(cache, "probe " + key)), "the gutter nodes are ready");
    }

    /// <summary>
    /// Asynchronously: a synchronous write in the place of a node may have been tried there, and is uncertain for
    /// seconds after its return.
    /// </summary>
    private static bool SetAndGet(MemcachedCache cache, string key)
    {
        cache.SetAsync(key, [1], Default).GetAwaiter().GetResult();
        return cache.GetAsync(key).GetAwaiter().GetResult() is not null;
    }

    private async Task HealAsync(MemcachedCache cache, int node)
    {
        await _proxies[node].ApplyAsync(Fault.None);
        await cache.ReadableAsync();
    }

    private static async Task SetAllAsync(MemcachedCache cache, byte version)
    {
        for (int key = 0; key < Keys; key++)
        {
            await cache.SetAsync(Name(key), [version], Default);
        }
    }

    private static async Task<int?[]> ReadAllAsync(MemcachedCache cache)
        => [.. (await Task.WhenAll(Enumerable.Range(0, Keys).Select(key => cache.GetAsync(Name(key))))).Select(static value => (int?)value?[0])];

    private static string Name(int key) => "key" + key.ToString(CultureInfo.InvariantCulture);
}
