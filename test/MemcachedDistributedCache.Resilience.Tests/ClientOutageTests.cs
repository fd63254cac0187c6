using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>What callers of the typed client are told when a server is away, and what becomes of the key.</summary>
public sealed class ClientOutageTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [MemcachedFact]
    public async Task Values_go_to_the_gutter_and_counters_wait_for_their_own_server()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedClient client = Clients.On([first.Server, second.Server]);
        MemcachedKey key = KeyOn(client, first.Server);
        Assert.True((await client.SetAsync(key, 1, Minute)).IsSuccess);
        await first.KillAsync();
        await Eventually.True(() => client.GetNodes().Any(static node => node.State == MemcachedNodeState.Down), "the node is down");

        Assert.False((await client.GetAsync<int>(key)).IsSuccess);

        // Not before it is known from where on items of the gutter node may be read.
        await Eventually.True(
            async () => (await client.SetAsync(key, 2, Minute)).IsSuccess && (await client.GetAsync<int>(key)).ValueOrDefault == 2,
            "the gutter serves the key");
        MemcachedResult<ulong> count = await client.IncrementAsync(key);
        Assert.Equal(MemcachedOutcome.Unavailable, count.Outcome);
        Assert.True(count.Failure is { WasSent: false, RetryAfter: not null });
        Assert.Equal(first.Server, count.Failure.Server);
        Assert.Equal(MemcachedOutcome.Unavailable, client.Increment(key).Outcome);
        Assert.Equal(MemcachedOutcome.Unavailable, (await client.AppendAsync(key, "x", Minute)).Outcome);
        MemcachedUnavailableException thrown = Assert.Throws<MemcachedUnavailableException>(() => count.Value);
        Assert.Equal(first.Server, thrown.Server);

        await using MemcachedClient counting = Clients.On([first.Server, second.Server], static options => options.CounterFailover = MemcachedFailover.Gutter);
        await Eventually.True(() => counting.GetNodes().Any(static node => node.State == MemcachedNodeState.Down), "the node is down");

        // Not before it is known from where on items of the gutter node may be read.
        MemcachedKey counter = KeyOn(counting, first.Server);
        await Eventually.True(() => counting.Increment(counter, 1, 5, Minute) is { IsSuccess: true, Value: 5 }, "the gutter counts");
    }

    [MemcachedFact]
    public async Task What_was_sent_and_not_answered_is_unknown_and_sent_once()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedClient client = Clients.On([server.Server], static options => options.OperationTimeout = TimeSpan.FromMilliseconds(300));
        Assert.True((await client.SetAsync("n", 0, Minute)).IsSuccess);
        Assert.True((await client.SetAsync("v", "old", Minute)).IsSuccess);
        server.Freeze();
        MemcachedResult<ulong>[] counts = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => client.IncrementAsync("n").AsTask()));
        Assert.All(counts, static count => Assert.Equal(MemcachedOutcome.Unknown, count.Outcome));
        Assert.All(counts, static count => Assert.True(count.Failure is { WasSent: true, Reason: MemcachedFailureReason.TimedOut }));
        Assert.Equal(MemcachedOutcome.Unavailable, (await client.GetAsync<string>("v")).Outcome);
        Assert.Contains((await client.SetAsync("v", "new", Minute)).Outcome, (MemcachedOutcome[])[MemcachedOutcome.Unknown, MemcachedOutcome.Unavailable]);
        server.Thaw();
        await Eventually.True(
            () => client.GetNodes().All(static node => node is { State: MemcachedNodeState.Up, UncertainKeys: 0, AreAllKeysUncertain: false }),
            "the node is up and no key is uncertain");
        Assert.InRange((await client.GetAsync<int>("n")).Value, 0, 5);
        Assert.NotEqual("old", (await client.GetAsync<string>("v")).FoundOrDefault());
    }

    [MemcachedFact]
    public async Task A_flush_ends_every_item_of_every_server_that_is_there()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedClient client = Clients.On([first.Server, second.Server]);
        MemcachedKey[] keys = [.. Enumerable.Range(0, 50).Select(static i => (MemcachedKey)$"k{i}")];
        await client.SetManyAsync(keys.Select(static key => KeyValuePair.Create(key, 1)), Minute);
        Assert.All(await client.FlushAsync(), static one => Assert.Equal(MemcachedOutcome.Success, one.Outcome));
        Assert.Equal(keys, (await client.GetManyAsync<int>(keys)).MissingKeys);
        await second.KillAsync();
        IReadOnlyList<MemcachedServerResult> flushed = await client.FlushAsync();
        Assert.Equal(
            [MemcachedOutcome.Success, MemcachedOutcome.Unavailable],
            flushed.OrderBy(one => one.Server == second.Server).Select(static one => one.Outcome));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => client.FlushAsync(TimeSpan.FromDays(31)));
    }

    /// <summary>A key that this server owns, whether or not it is up.</summary>
    private static MemcachedKey KeyOn(MemcachedClient client, string server)
        => Enumerable.Range(0, 1000).Select(static i => (MemcachedKey)$"key{i}").First(key => client.NodeOf(key) == server);
}
