using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Client;

public sealed class ManyKeysTests(ThreeNodes nodes) : IClassFixture<ThreeNodes>
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [MemcachedFact]
    public async Task Results_come_in_the_order_of_the_keys_whatever_is_missing_or_named_twice()
    {
        await using MemcachedClient client = nodes.Client();
        MemcachedResults stored = await client.SetManyAsync(Enumerable.Range(0, 3000).Select(i => KeyValuePair.Create((MemcachedKey)$"k{i}", i)), Minute);
        Assert.All(stored, static one => Assert.True(one.IsSuccess));
        MemcachedKey[] keys = [.. Enumerable.Range(0, 3500).Select(i => (MemcachedKey)$"k{i}"), "k7", "k7"];
        MemcachedResults<int> read = await client.GetManyAsync<int>(keys);
        Assert.Equal(keys, read.Keys);
        Assert.Equal(3502, read.Count);
        for (int i = 0; i < 3000; i++)
        {
            Assert.Equal(i, read[i].Value);
        }

        Assert.Equal(500, read.MissingKeys.Count());
        Assert.Empty(read.FailedKeys);
        Assert.Equal(7, read[^1].Value);
        Assert.Equal(3002, read.Found.Count());
        Assert.Empty(await client.GetManyAsync<int>([]));
    }

    [MemcachedFact]
    public async Task A_stream_gives_each_result_once_and_may_be_left()
    {
        await using MemcachedClient client = nodes.Client();
        MemcachedKey[] keys = [.. Enumerable.Range(0, 2500).Select(i => (MemcachedKey)$"k{i}")];
        await client.SetManyAsync(keys.Where((_, i) => i % 2 == 0).Select((key, i) => KeyValuePair.Create(key, i)), Minute);
        var seen = new HashSet<MemcachedKey>();
        int found = 0;
        await foreach ((MemcachedKey key, MemcachedResult<int> result) in client.StreamAsync<int>(keys))
        {
            Assert.True(seen.Add(key));
            found += result.IsSuccess ? 1 : 0;
        }

        Assert.Equal(2500, seen.Count);
        Assert.Equal(1250, found);
        await foreach ((MemcachedKey _, MemcachedResult<int> _) in client.StreamAsync<int>(keys))
        {
            break;
        }

        await Eventually.True(() => client.GetNodes().All(static node => node.PendingOperations == 0), "nothing is under way after the stream was left");
    }

    [MemcachedFact]
    public async Task Large_values_go_in_windows()
    {
        await using MemcachedClient client = nodes.Client(static options => options.MaximumBufferedBytes = 8 * 1024 * 1024);
        KeyValuePair<MemcachedKey, byte[]>[] items = [.. Enumerable.Range(0, 40).Select(i => KeyValuePair.Create((MemcachedKey)$"k{i}", KeyedValues.Create(i, 1, 1_000_000)))];
        Assert.All(await client.SetManyAsync(items, Minute), static one => Assert.True(one.IsSuccess, one.ToString()));
        MemcachedResults<byte[]> read = await client.GetManyAsync<byte[]>(items.Select(static item => item.Key));
        Assert.Equal(items.Select(static item => item.Value), read.Select(static one => one.Value));
    }

    [MemcachedFact]
    public async Task Each_other_operation_tells_of_each_key()
    {
        await using MemcachedClient client = nodes.Client();
        await client.SetManyAsync([KeyValuePair.Create((MemcachedKey)"a", 1), KeyValuePair.Create((MemcachedKey)"a", 2), KeyValuePair.Create((MemcachedKey)"b", 3)], Minute);
        Assert.Equal(
            [MemcachedOutcome.Success, MemcachedOutcome.NotFound, MemcachedOutcome.Success],
            (await client.TouchManyAsync(["a", "c", "b"], Minute)).Select(static one => one.Outcome));
        MemcachedResults<ulong> counts = await client.IncrementManyAsync(["a", "a", "c"], 5);
        Assert.Equal([7ul, 12ul], counts.Take(2).Select(static one => one.Value));
        Assert.Equal(["c"], counts.MissingKeys);
        Assert.Equal([17ul, 1ul], (await client.IncrementManyAsync(["a", "c"], 5, 1, Minute)).Select(static one => one.Value));
        Assert.Equal(
            [MemcachedOutcome.Success, MemcachedOutcome.NotFound, MemcachedOutcome.Success],
            (await client.DeleteManyAsync(["a", "d", "b"])).Select(static one => one.Outcome));
        Assert.Equal(["a", "b"], (await client.GetManyAsync<int>(["a", "b", "c"])).MissingKeys);
    }

    [MemcachedFact]
    public async Task A_wrong_key_among_many_is_an_exception_and_leaves_nothing_behind()
    {
        await using MemcachedClient client = nodes.Client();
        MemcachedKey[] keys = [.. Enumerable.Range(0, 100).Select(i => (MemcachedKey)(i == 50 ? "a b" : $"k{i}"))];
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetManyAsync<byte[]>(keys));
        await Assert.ThrowsAsync<ArgumentException>(() => client.SetManyAsync(keys.Select(static key => KeyValuePair.Create(key, "x"))));
        Assert.All(client.GetNodes(), static node => Assert.Equal(0, node.PendingOperations));
        Assert.Equal("x", (await client.GetAsync<string>("k49")).Value);
        Assert.Equal(MemcachedOutcome.NotFound, (await client.GetAsync<string>("k51")).Outcome);
    }

    [MemcachedFact]
    public async Task A_value_among_many_that_is_too_large_leaves_no_older_one()
    {
        await using MemcachedClient client = nodes.Client(static options => options.MaximumValueBytes = 100);
        await client.SetAsync("a", "old", Minute);
        MemcachedResults stored = await client.SetManyAsync(
            [KeyValuePair.Create((MemcachedKey)"a", new byte[101]), KeyValuePair.Create((MemcachedKey)"b", new byte[100])],
            Minute);
        Assert.Equal([MemcachedOutcome.TooLarge, MemcachedOutcome.Success], stored.Select(static one => one.Outcome));
        Assert.Equal(MemcachedOutcome.NotFound, (await client.GetAsync<byte[]>("a")).Outcome);
    }

    [MemcachedFact]
    public async Task The_last_value_of_a_key_stays_though_an_earlier_one_was_too_large()
    {
        await using MemcachedClient client = nodes.Client(static options => options.MaximumValueBytes = 100);
        MemcachedResults stored = await client.SetManyAsync(
            [KeyValuePair.Create((MemcachedKey)"a", new byte[101]), KeyValuePair.Create((MemcachedKey)"a", new byte[7])],
            Minute);
        Assert.Equal([MemcachedOutcome.TooLarge, MemcachedOutcome.Success], stored.Select(static one => one.Outcome));
        Assert.Equal(["a"], stored.FailedKeys);
        Assert.Equal(7, (await client.GetAsync<byte[]>("a")).Value.Length);
    }

    [MemcachedFact]
    public async Task What_a_serializer_throws_goes_to_the_caller()
    {
        await using MemcachedClient client = nodes.Client(static options => options.UseSerializer(new MemcachedJsonSerializer(new System.Text.Json.JsonSerializerOptions())));
        await client.SetManyAsync(Enumerable.Range(0, 20).Select(static i => KeyValuePair.Create((MemcachedKey)$"k{i}", "1")), Minute);
        MemcachedKey[] keys = [.. Enumerable.Range(0, 20).Select(static i => (MemcachedKey)$"k{i}")];
        await Assert.ThrowsAsync<NotSupportedException>(() => client.GetManyAsync<Version>(keys));
        await Assert.ThrowsAsync<NotSupportedException>(async () =>
        {
            await foreach ((MemcachedKey _, MemcachedResult<Version> result) in client.StreamAsync<Version>(keys))
            {
                Assert.NotEqual(MemcachedOutcome.None, result.Outcome);
            }
        });
        await Assert.ThrowsAsync<NotSupportedException>(() => client.SetManyAsync(keys.Select(static key => KeyValuePair.Create(key, new Version(1, 2)))));
        await Eventually.True(() => client.GetNodes().All(static node => node.PendingOperations == 0), "nothing is under way");
    }

    [MemcachedFact]
    public async Task Windows_are_as_small_as_the_options_ask_for()
    {
        await using MemcachedClient client = nodes.Client(static options => (options.MaximumPendingOperations, options.MaximumBufferedBytes) = (40, 64 * 1024));
        KeyValuePair<MemcachedKey, byte[]>[] items = [.. Enumerable.Range(0, 500).Select(i => KeyValuePair.Create((MemcachedKey)$"k{i}", KeyedValues.Create(i, 1, 1000)))];
        Assert.All(await client.SetManyAsync(items, Minute), static one => Assert.True(one.IsSuccess, one.ToString()));
        Assert.Equal(500, (await client.GetManyAsync<byte[]>(items.Select(static item => item.Key))).Found.Count());
    }

    [MemcachedFact]
    public async Task A_node_that_is_down_fails_its_own_keys_alone()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using MemcachedClient client = Clients.On([first.Server, second.Server], static options => options.Failover = MemcachedFailover.None);
        MemcachedKey[] keys = [.. Enumerable.Range(0, 200).Select(i => (MemcachedKey)$"k{i}")];
        await client.SetManyAsync(keys.Select(static key => KeyValuePair.Create(key, key.Text)), Minute);
        await first.KillAsync();
        MemcachedResults<string> read = await client.GetManyAsync<string>(keys);
        MemcachedKey[] lost = [.. keys.Where(key => client.NodeOf(key) == first.Server)];
        Assert.NotEmpty(lost);
        Assert.Equal(lost, read.FailedKeys);
        Assert.All(read.Where(static one => one.Failure is not null), static one => Assert.Equal(MemcachedOutcome.Unavailable, one.Outcome));
        Assert.Equal(keys.Except(lost), read.Found.Select(static pair => pair.Key));
    }
}
