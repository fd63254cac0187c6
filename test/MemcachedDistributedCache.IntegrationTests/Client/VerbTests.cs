using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Client;

/// <summary>Every operation of the typed client on one key, as docs/client.md lists them, asynchronous and blocking.</summary>
public sealed class VerbTests(ThreeNodes nodes) : IClassFixture<ThreeNodes>
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    /// <summary>What is stored comes back as every type that can hold it.</summary>
    [MemcachedFact]
    public async Task Values_of_every_type_come_back()
    {
        await using MemcachedClient client = nodes.Client();
        await ComesBackAsync(client, new byte[] { 0, 1, 2, 255 });
        await ComesBackAsync(client, Array.Empty<byte>());
        await ComesBackAsync(client, "grüße 😀");
        await ComesBackAsync(client, "");
        await ComesBackAsync(client, long.MinValue);
        await ComesBackAsync(client, ulong.MaxValue);
        await ComesBackAsync(client, (byte)7);
        await ComesBackAsync(client, 1.5);
        await ComesBackAsync(client, new Product("tea", 3));
        await ComesBackAsync(client, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(1)));
        Assert.True((await client.SetAsync("memory", new ReadOnlyMemory<byte>([1, 2]))).IsSuccess);
        Assert.Equal([1, 2], (await client.GetAsync<ReadOnlySequence<byte>>("memory")).Value.ToArray());
        var writer = new ArrayBufferWriter<byte>();
        Assert.Equal(2, (await client.GetAsync("memory", writer)).Value);
        Assert.Equal(2, client.Get("memory", writer).Value);
        Assert.Equal([1, 2, 1, 2], writer.WrittenSpan.ToArray());
    }

    [MemcachedFact]
    public async Task A_missing_key_is_not_found_by_any_verb()
    {
        await using MemcachedClient client = nodes.Client();
        Assert.Equal(MemcachedOutcome.NotFound, (await client.GetAsync<string>("none")).Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, client.Get<string>("none").Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, (await client.GetItemAsync<string>("none")).Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, (await client.GetAndTouchAsync<string>("none", Minute)).Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, (await client.TouchAsync("none", Minute)).Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, (await client.DeleteAsync("none")).Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, client.Delete("none").Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, (await client.IncrementAsync("none")).Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, client.Decrement("none").Outcome);
        Assert.Equal(MemcachedOutcome.NotStored, (await client.ReplaceAsync("none", "x")).Outcome);
        Assert.Equal(MemcachedOutcome.NotStored, (await client.AppendAsync("none", "x")).Outcome);
        Assert.Equal(MemcachedOutcome.NotStored, client.Prepend("none", "x").Outcome);
        Assert.Null((await client.GetAsync<string>("none")).FoundOrDefault());
        Assert.Throws<MemcachedOutcomeException>(() => client.Get<string>("none").Value);
    }

    [MemcachedFact]
    public async Task Stores_hold_to_their_conditions()
    {
        await using MemcachedClient client = nodes.Client();
        Assert.True((await client.AddAsync("k", "1", Minute)).IsSuccess);
        Assert.Equal(MemcachedOutcome.NotStored, (await client.AddAsync("k", "2", Minute)).Outcome);
        Assert.Equal(MemcachedOutcome.NotStored, client.Add("k", "2", Minute).Outcome);
        Assert.True((await client.ReplaceAsync("k", "3", Minute)).IsSuccess);
        Assert.Equal("3", client.Get<string>("k").Value);

        MemcachedItem<string> item = (await client.GetItemAsync<string>("k")).Value;
        Assert.True(item.Cas.IsKnown);
        MemcachedResult stored = await client.CompareAndSetAsync("k", "4", item.Cas, Minute);
        Assert.True(stored.IsSuccess);
        Assert.Equal(MemcachedOutcome.Conflict, (await client.CompareAndSetAsync("k", "5", item.Cas, Minute)).Outcome);
        Assert.Equal(MemcachedOutcome.Conflict, (await client.CompareAndDeleteAsync("k", item.Cas)).Outcome);
        Assert.Equal("4", (await client.GetAsync<string>("k")).Value);
        MemcachedCas now = stored.Cas.IsKnown ? stored.Cas : (await client.GetItemAsync<string>("k")).Value.Cas;
        Assert.True((await client.CompareAndDeleteAsync("k", now)).IsSuccess);
        Assert.Equal(MemcachedOutcome.NotFound, (await client.GetAsync<string>("k")).Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, (await client.CompareAndSetAsync("k", "6", now, Minute)).Outcome);
        Assert.Equal(MemcachedOutcome.Conflict, (await client.CompareAndSetAsync("k", "7", default, Minute)).Outcome);
    }

    [MemcachedFact]
    public async Task A_blocking_caller_compares_and_sets_too()
    {
        await using MemcachedClient client = nodes.Client();
        Assert.True(client.Set("k", "1", Minute).IsSuccess);
        MemcachedItem<string> item = client.GetItem<string>("k").Value;
        Assert.True(client.CompareAndSet("k", "2", item.Cas, Minute).IsSuccess);
        Assert.Equal(MemcachedOutcome.Conflict, client.CompareAndSet("k", "3", item.Cas, Minute).Outcome);
        Assert.True(client.CompareAndDelete("k", client.GetItem<string>("k").Value.Cas).IsSuccess);
        Assert.Equal(MemcachedOutcome.NotFound, client.Get<string>("k").Outcome);
    }

    [MemcachedFact]
    public async Task Bytes_are_put_before_and_behind_others_and_make_an_item_where_that_is_asked_for()
    {
        await using MemcachedClient client = nodes.Client();
        Assert.True((await client.SetAsync("k", "b", Minute)).IsSuccess);
        Assert.True((await client.AppendAsync("k", "c")).IsSuccess);
        Assert.True(client.Prepend("k", "a").IsSuccess);
        Assert.Equal("abc", client.Get<string>("k").Value);
        Assert.True((await client.AppendAsync("made", "1", Minute)).IsSuccess);
        Assert.True((await client.AppendAsync("made", "2", Minute)).IsSuccess);
        Assert.True(client.Prepend("made", "0", Minute).IsSuccess);
        Assert.Equal("012", (await client.GetAsync<string>("made")).Value);
    }

    [MemcachedFact]
    public async Task Numbers_go_up_and_down_and_are_made()
    {
        await using MemcachedClient client = nodes.Client();
        Assert.True((await client.SetAsync("n", 10, Minute)).IsSuccess);
        Assert.Equal(11ul, (await client.IncrementAsync("n")).Value);
        Assert.Equal(16ul, client.Increment("n", 5).Value);
        Assert.Equal(14ul, (await client.DecrementAsync("n", 2)).Value);
        Assert.Equal(0ul, client.Decrement("n", 100).Value);
        Assert.Equal(0, (await client.GetAsync<int>("n")).Value);
        Assert.Equal(7ul, (await client.IncrementAsync("made", 2, 7, Minute)).Value);
        Assert.Equal(9ul, client.Increment("made", 2, 7, Minute).Value);
        Assert.Equal(3ul, (await client.DecrementAsync("made-down", 1, 3, Minute)).Value);
        Assert.Equal(2ul, client.Decrement("made-down", 1, 3, Minute).Value);
        Assert.True((await client.SetAsync("large", ulong.MaxValue, Minute)).IsSuccess);
        Assert.Equal(1ul, (await client.IncrementAsync("large", 2)).Value);
    }

    [MemcachedFact]
    public async Task What_is_no_number_is_an_outcome_and_breaks_no_connection()
    {
        await using MemcachedClient client = nodes.Client(static options => options.ConnectionsPerNode = 1);
        Assert.True((await client.SetAsync("text", "abc", Minute)).IsSuccess);
        for (int i = 0; i < 20; i++)
        {
            Task<MemcachedResult<string>> before = client.GetAsync<string>("text").AsTask();
            MemcachedResult<ulong> result = await client.IncrementAsync("text");
            Assert.Equal(MemcachedOutcome.Rejected, result.Outcome);
            Assert.Contains("non-numeric", result.Failure!.Detail, StringComparison.Ordinal);
            Assert.Equal("abc", (await before).Value);
        }

        Assert.Equal(MemcachedOutcome.Rejected, client.Decrement("text").Outcome);
        Assert.All(client.GetNodes(), static node => Assert.Equal(MemcachedNodeState.Up, node.State));
    }

    [MemcachedFact]
    public async Task An_item_tells_its_size_its_time_to_live_and_its_past()
    {
        await using MemcachedClient client = nodes.Client();
        await client.SetAsync("k", "12345", Minute);
        MemcachedItem<string> item = (await client.GetItemAsync<string>("k")).Value;
        Assert.Equal(5, item.Size);
        Assert.Equal("12345", item.Value);
        Assert.False(item.IsStale);
        if (item.TimeToLive is { } left)
        {
            Assert.InRange(left, TimeSpan.FromSeconds(50), Minute);
            Assert.False(item.WasHitBefore);
            Assert.True((await client.GetItemAsync<string>("k")).Value.WasHitBefore);
            Assert.True((await client.TouchAsync("k", TimeSpan.FromHours(1))).IsSuccess);
            Assert.InRange((await client.GetItemAsync<string>("k")).Value.TimeToLive!.Value, TimeSpan.FromMinutes(50), TimeSpan.FromHours(1));
            Assert.Equal("12345", (await client.GetAndTouchAsync<string>("k", TimeSpan.FromDays(60))).Value);
            Assert.InRange((await client.GetItemAsync<string>("k")).Value.TimeToLive!.Value, TimeSpan.FromDays(59), TimeSpan.FromDays(60) + TimeSpan.FromSeconds(2));
        }
    }

    [MemcachedFact(MetaOnly = "classic commands mark nothing as stale")]
    public async Task A_stale_item_is_not_found_and_one_reader_is_to_replace_it()
    {
        await using MemcachedClient client = nodes.Client();
        await client.SetAsync("k", "old", Minute);
        Assert.True((await client.MarkStaleAsync("k", Minute)).IsSuccess);
        MemcachedItem<string> first = (await client.GetItemAsync<string>("k")).Value;
        MemcachedItem<string> second = (await client.GetItemAsync<string>("k")).Value;
        Assert.True(first is { IsStale: true, IsFirstToSeeStale: true, Value: "old" });
        Assert.True(second is { IsStale: true, IsFirstToSeeStale: false });
        Assert.Equal(MemcachedOutcome.NotFound, (await client.GetAsync<string>("k")).Outcome);
        Assert.True((await client.CompareAndSetAsync("k", "new", first.Cas, Minute)).IsSuccess);
        Assert.Equal("new", (await client.GetAsync<string>("k")).Value);
        Assert.Equal(MemcachedOutcome.NotFound, client.MarkStale("none").Outcome);
    }

    [MemcachedFact]
    public async Task What_is_no_value_of_the_type_is_unreadable()
    {
        await using MemcachedClient client = nodes.Client();
        await client.SetAsync("k", "not a number", Minute);
        Assert.Equal(MemcachedOutcome.Unreadable, (await client.GetAsync<int>("k")).Outcome);
        Assert.Equal(MemcachedOutcome.Unreadable, (await client.GetAsync<Product>("k")).Outcome);
        await client.SetAsync("json", new Product("a", 1), Minute);
        Assert.Equal(MemcachedOutcome.Unreadable, (await client.GetItemAsync<string>("json")).Outcome);
        await client.SetAsync("bytes", new byte[] { 0xff }, Minute);
        Assert.Equal(MemcachedOutcome.Unreadable, (await client.GetAsync<string>("bytes")).Outcome);
    }

    [MemcachedFact]
    public async Task A_value_above_the_limit_is_too_large_and_the_older_one_is_gone()
    {
        await using MemcachedClient client = nodes.Client(static options => options.MaximumValueBytes = 1000);
        await client.SetAsync("k", "old", Minute);
        Assert.Equal(MemcachedOutcome.TooLarge, (await client.SetAsync("k", new byte[1001], Minute)).Outcome);
        Assert.Equal(MemcachedOutcome.NotFound, (await client.GetAsync<byte[]>("k")).Outcome);
        await using MemcachedClient other = nodes.Client(options => options.Namespace = "larger");
        await using MemcachedClient smaller = nodes.Client(static options => (options.Namespace, options.MaximumValueBytes) = ("larger", 1000));
        await other.SetAsync("k", new byte[5000], Minute);
        Assert.Equal(MemcachedOutcome.TooLarge, (await smaller.GetAsync<byte[]>("k")).Outcome);
    }

    [MemcachedFact]
    public async Task Keys_go_as_they_are_and_others_are_refused_or_hashed()
    {
        await using MemcachedClient client = nodes.Client();
        foreach (string key in (string[])["with space", "line\r\nflush_all", "#k", new string('k', 251), "\ud83d", "a\0"])
        {
            await Assert.ThrowsAsync<ArgumentException>(async () => await client.GetAsync<string>(key));
        }

        await Assert.ThrowsAsync<ArgumentException>(async () => await client.GetAsync<string>(default(MemcachedKey)));
        await using MemcachedClient hashing = nodes.Client(static options => options.IllegalKeys = MemcachedIllegalKeys.Hash);
        foreach (string key in (string[])["with space", "line\r\nflush_all", "#k", new string('k', 10_000), "plain"])
        {
            Assert.True((await hashing.SetAsync(key, key, Minute)).IsSuccess);
            Assert.Equal(key, (await hashing.GetAsync<string>(key)).Value);
        }
    }

    [MemcachedFact]
    public async Task Keys_with_one_routing_lie_on_one_node()
    {
        await using MemcachedClient client = nodes.Client();
        string?[] homes = [.. Enumerable.Range(0, 50).Select(i => client.NodeOf(new MemcachedKey($"cart:{i}", "user:7")))];
        Assert.Single(homes.Distinct());
        Assert.Equal(client.NodeOf("user:7"), homes[0]);
        Assert.Equal(3, Enumerable.Range(0, 50).Select(i => client.NodeOf($"cart:{i}")).Distinct().Count());
        foreach (int i in Enumerable.Range(0, 50))
        {
            var key = new MemcachedKey($"cart:{i}", "user:7");
            await client.SetAsync(key, i, Minute);
            Assert.Equal(i, (await client.GetAsync<int>(key)).Value);
            Assert.True((await client.DeleteAsync(key)).IsSuccess);
        }
    }

    [MemcachedFact]
    public async Task A_time_to_live_must_be_one()
    {
        await using MemcachedClient client = nodes.Client();
        foreach (TimeSpan wrong in (TimeSpan[])[TimeSpan.Zero, Timeout.InfiniteTimeSpan, TimeSpan.FromDays(366), TimeSpan.MinValue])
        {
            ArgumentOutOfRangeException exception = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await client.SetAsync("k", "v", wrong));
            Assert.Equal("timeToLive", exception.ParamName);
        }
    }

    [MemcachedFact]
    public async Task Cancellation_is_an_exception()
    {
        await using MemcachedClient client = nodes.Client();
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await client.GetAsync<string>("k", cancelled.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await client.GetManyAsync<string>(["a", "b"], cancelled.Token));
        await client.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.GetAsync<string>("k"));
    }

    [MemcachedFact]
    public async Task Servers_tell_statistics_versions_and_reset_their_counts()
    {
        await using MemcachedClient client = nodes.Client();
        await client.SetAsync("k", "v", Minute);
        foreach (MemcachedStatisticsKind kind in Enum.GetValues<MemcachedStatisticsKind>())
        {
            IReadOnlyList<MemcachedServerStatistics> all = await client.GetStatisticsAsync(kind);
            Assert.Equal(3, all.Count);
            Assert.All(all, one => Assert.True(one.Outcome == MemcachedOutcome.Success, $"{kind}: {one.Detail}"));
        }

        Assert.All(await client.GetStatisticsAsync(), static one => Assert.True(one is { MaximumBytes: > 0, Connections: > 0, Version: not null }));
        Assert.All(await client.PingAsync(), static one => Assert.True(one is { Failure: null, ServerVersion: not null }));
        Assert.All(await client.ResetStatisticsAsync(), static one => Assert.Equal(MemcachedOutcome.Success, one.Outcome));
    }

    private static async Task ComesBackAsync<T>(MemcachedClient client, T value)
    {
        string key = $"value:{typeof(T).Name}:{value}".Replace(' ', '_');
        key = Convert.ToHexString(Encoding.UTF8.GetBytes(key));
        Assert.True((await client.SetAsync(key, value, Minute)).IsSuccess);
        Assert.Equal(value, (await client.GetAsync<T>(key)).Value);
        Assert.True(client.Set(key + "s", value, Minute).IsSuccess);
        Assert.Equal(value, client.Get<T>(key + "s").Value);
        Assert.True(client.Get<T>(key).TryGetValue(out _));
    }

    private sealed record Product(string Name, int Count);
}
