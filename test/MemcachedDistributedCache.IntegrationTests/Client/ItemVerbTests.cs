using System.Globalization;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.IntegrationTests.Client;

/// <summary>The typed client's verbs on a real memcached, in both dialects, for callers who await and callers who block.</summary>
public sealed class ItemVerbTests : IAsyncLifetime
{
    private MemcachedProcess? _server;

    public static TheoryData<string, string> Ways => new()
    {
        { "Meta", "Async" },
        { "Meta", "Sync" },
        { "Classic", "Async" },
        { "Classic", "Sync" },
    };

    public async Task InitializeAsync()
    {
        if (MemcachedBinary.SkipReason is null)
        {
            _server = await MemcachedProcess.StartAsync();
        }
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task Each_store_tells_whether_its_condition_held(string protocol, string mode)
    {
        await using ItemRig rig = On(protocol, mode);
        Assert.Equal(ResultStatus.Miss, (await rig.FetchAsync("k")).Status);
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", "x", StoreMode.Replace)).Status);
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", "x", StoreMode.Append)).Status);
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", "x", StoreMode.Prepend)).Status);
        OperationResult added = await rig.PutAsync("k", "b", StoreMode.Add, flags: 7);
        Assert.Equal((ResultStatus.Success, protocol == "Meta"), (added.Status, added.CasToken.IsKnown));
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", "x", StoreMode.Add)).Status);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "c", StoreMode.Append)).Status);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "a", StoreMode.Prepend, flags: 9)).Status);
        OperationResult item = await rig.FetchAsync("k");
        Assert.Equal(("abc", 7u, 3), (ItemRig.Text(item), item.Flags, item.Length)); // flags that announce a prefix elsewhere
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "d", StoreMode.Replace, flags: 8)).Status);
        Assert.Equal(("d", 8u), (ItemRig.Text(await rig.FetchAsync("k")), (await rig.FetchAsync("k")).Flags));
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "")).Status);
        Assert.Equal(0, (await rig.FetchAsync("k")).Length);
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task A_store_over_a_state_tells_another_state_from_no_item(string protocol, string mode)
    {
        await using ItemRig rig = On(protocol, mode);
        await rig.PutAsync("k", "a");
        CasToken first = (await rig.FetchAsync("k")).CasToken;
        Assert.True(first.IsKnown);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "b", cas: first)).Status);
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", "c", cas: first)).Status);
        CasToken second = (await rig.FetchAsync("k", withValue: false)).CasToken;
        Assert.Equal(ResultStatus.Conflict, (await rig.RemoveAsync("k", first)).Status);
        Assert.Equal(protocol == "Meta" ? ResultStatus.Success : ResultStatus.Unsupported, (await rig.PutAsync("k", "+", StoreMode.Append, cas: second)).Status);
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", "c", cas: new CasToken(0, null))).Status);
        CasToken third = (await rig.FetchAsync("k")).CasToken;
        Assert.Equal(ResultStatus.Success, (await rig.RemoveAsync("k", third)).Status);
        Assert.Equal(ResultStatus.Miss, (await rig.PutAsync("k", "c", cas: third)).Status);
        Assert.Equal(ResultStatus.Miss, (await rig.RemoveAsync("k", third)).Status);
        Assert.Equal(ResultStatus.Miss, (await rig.RemoveAsync("k")).Status);
    }

    [MemcachedTheory]
    [InlineData("Meta")]
    [InlineData("Classic")]
    public async Task A_state_that_one_who_blocks_has_read_is_a_conflict_to_one_who_awaits_and_the_reverse(string protocol)
    {
        await using ItemRig rig = On(protocol, "Async");
        await rig.PutAsync("k", "a", mode: CallMode.Sync);
        CasToken blocking = (await rig.FetchAsync("k", mode: CallMode.Sync)).CasToken;
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", "b", cas: blocking)).Status);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "b", cas: blocking, mode: CallMode.Sync)).Status);
        CasToken awaiting = (await rig.FetchAsync("k")).CasToken;
        Assert.NotSame(blocking.Origin, awaiting.Origin);
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", "c", cas: awaiting, mode: CallMode.Sync)).Status);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "d", cas: awaiting)).Status);
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task An_append_makes_the_missing_item_where_it_is_to(string protocol, string mode)
    {
        await using ItemRig rig = On(protocol, mode);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "b", StoreMode.Append, vivify: 600, flags: 5)).Status);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "c", StoreMode.Append, vivify: 60)).Status);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "a", StoreMode.Prepend, vivify: 60)).Status);
        OperationResult item = await rig.FetchAsync("k");
        Assert.Equal(("abc", 5u), (ItemRig.Text(item), item.Flags));
        Assert.True(item.TimeToLive is OperationResult.UnknownTimeToLive or > 500);

        // Many at once: nothing is lost, and nothing comes twice.
        OperationResult[] results = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(() => rig.PutAsync("many", "x", StoreMode.Append, vivify: 600))));
        Assert.All(results, static result => Assert.Equal(ResultStatus.Success, result.Status));
        Assert.Equal(new string('x', 50), ItemRig.Text(await rig.FetchAsync("many")));
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task Numbers_count_wrap_and_stop_at_zero(string protocol, string mode)
    {
        await using ItemRig rig = On(protocol, mode);
        Assert.Equal(ResultStatus.Miss, (await rig.IncrementAsync("n")).Status);
        Assert.Equal(5ul, (await rig.IncrementAsync("n", 3, initial: 5)).Number);
        OperationResult second = await rig.IncrementAsync("n", 3, initial: 5);
        Assert.Equal((ResultStatus.Success, 8ul, protocol == "Meta"), (second.Status, second.Number, second.CasToken.IsKnown));
        Assert.True(second.TimeToLive is OperationResult.UnknownTimeToLive or (> 500 and <= 600));
        Assert.Equal("8", ItemRig.Text(await rig.FetchAsync("n")));
        Assert.Equal(0ul, (await rig.IncrementAsync("n", ulong.MaxValue, down: true)).Number);
        Assert.Equal(ulong.MaxValue, (await rig.IncrementAsync("n", ulong.MaxValue)).Number);
        Assert.Equal(1ul, (await rig.IncrementAsync("n", 2)).Number);
        Assert.Equal(ulong.MaxValue, (await rig.IncrementAsync("full", initial: ulong.MaxValue)).Number);
        OperationResult[] counted = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => Task.Run(() => rig.IncrementAsync("many", initial: 1))));
        Assert.Equal(Enumerable.Range(1, 100).Select(static n => (ulong)n), counted.Select(static result => result.Number).Order());
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task What_is_no_number_is_refused_and_breaks_nothing(string protocol, string mode)
    {
        await using ItemRig rig = On(protocol, mode);
        await rig.PutAsync("t", "text");
        long connections = await ConnectionsAsync();
        Task<OperationResult>[] asked =
        [
            .. Enumerable.Range(0, 20).Select(i => Task.Run(() => i % 2 == 0 ? rig.IncrementAsync("t", initial: 1) : rig.IncrementAsync("n", initial: 1))),
        ];
        OperationResult[] results = await Task.WhenAll(asked);
        foreach (OperationResult refused in results.Where(static (_, i) => i % 2 == 0))
        {
            Assert.Equal(ResultStatus.Rejected, refused.Status);
            Assert.Contains("non-numeric", refused.Failure!.Detail, StringComparison.Ordinal);
        }

        Assert.All(results.Where(static (_, i) => i % 2 == 1), static counted => Assert.Equal(ResultStatus.Success, counted.Status));
        Assert.Equal("text", ItemRig.Text(await rig.FetchAsync("t")));
        Assert.Equal(1, await ConnectionsAsync() - connections); // the one that asked
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task An_item_is_told_with_all_that_its_server_knows(string protocol, string mode)
    {
        await using ItemRig rig = On(protocol, mode);
        bool tells = protocol == "Meta";
        await rig.PutAsync("k", "value", flags: 9);
        OperationResult first = await rig.FetchAsync("k");
        OperationResult second = await rig.FetchAsync("k", withValue: false);
        Assert.Equal((false, tells), (first.WasHitBefore, second.WasHitBefore));
        Assert.Equal((5, 9u), (second.Length, second.Flags));
        Assert.Null(second.Value);
        Assert.Equal(first.Cas, second.Cas);
        Assert.True(tells ? second.LastAccess is >= 0 and < 60 : second.LastAccess == -1);
        Assert.True(tells ? second.TimeToLive is > 590 and <= 600 : second.TimeToLive == OperationResult.UnknownTimeToLive);
        OperationResult touched = await rig.FetchAsync("k", touchTo: 1000);
        Assert.Equal(("value", first.Cas), (ItemRig.Text(touched), touched.Cas)); // a touch gives no new state
        Assert.Equal(ResultStatus.Success, (await rig.TouchAsync("k", 2000)).Status);
        Assert.Equal(ResultStatus.Miss, (await rig.TouchAsync("missing", 2000)).Status);
        Assert.True(tells ? (await rig.FetchAsync("k")).TimeToLive > 1900 : (await rig.FetchAsync("k")).Cas == first.Cas);
        Assert.InRange(long.Parse((await _server!.CommandAsync("mg k t")).Split('t')[1], CultureInfo.InvariantCulture), 1900, 2000);
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task An_item_is_marked_as_old_where_the_dialect_can(string protocol, string mode)
    {
        await using ItemRig rig = On(protocol, mode);
        await rig.PutAsync("k", "value");
        CasToken state = (await rig.FetchAsync("k")).CasToken;
        if (protocol == "Classic")
        {
            Assert.Equal(ResultStatus.Unsupported, (await rig.RemoveAsync("k", stale: 60)).Status);
            Assert.Equal(ResultStatus.Unsupported, (await rig.RemoveAsync("k", state, stale: 60)).Status);
            Assert.Equal(("value", state.Cas), (ItemRig.Text(await rig.FetchAsync("k")), (await rig.FetchAsync("k")).Cas));
            return;
        }

        Assert.Equal(ResultStatus.Miss, (await rig.RemoveAsync("missing", stale: 60)).Status);
        Assert.Equal(ResultStatus.Success, (await rig.RemoveAsync("k", state, stale: 60)).Status);
        Assert.Equal(ResultStatus.Conflict, (await rig.RemoveAsync("k", state, stale: 60)).Status);
        OperationResult stale = await rig.FetchAsync("k");
        Assert.Equal(("value", true, LeaseState.Won), (ItemRig.Text(stale), stale.IsStale, stale.Lease));
        Assert.Equal((true, LeaseState.Taken), ((await rig.FetchAsync("k")).IsStale, (await rig.FetchAsync("k")).Lease));
        Assert.InRange(stale.TimeToLive, 1, 60);
        await rig.PutAsync("k", "new");
        Assert.False((await rig.FetchAsync("k")).IsStale);
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task What_is_too_large_is_told_as_that(string protocol, string mode)
    {
        await using ItemRig rig = On(protocol, mode, largestKept: 500_000);
        Assert.Equal(ResultStatus.Miss, (await rig.FetchAsync("k")).Status);
        OperationResult refused = await rig.PutAsync("k", new string('x', 1024 * 1024));
        Assert.Equal(ResultStatus.TooLarge, refused.Status);
        Assert.True(refused.Length is 0 or (> 1_000_000 and < 1024 * 1024)); // 0 where the server has not told its limit
        await rig.PutAsync("k", new string('x', 700_000));
        Assert.Equal(ResultStatus.TooLarge, (await rig.FetchAsync("k")).Status);
        Assert.Equal(700_000, (await rig.FetchAsync("k", withValue: false)).Length);

        // memcached has the same words for an append that would be too large as for one that finds no item.
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", new string('x', 700_000), StoreMode.Append)).Status);
        Assert.Equal(ResultStatus.Conflict, (await rig.PutAsync("k", new string('x', 700_000), StoreMode.Append, vivify: 60)).Status);
        Assert.Equal(700_000, (await rig.FetchAsync("k", withValue: false)).Length);
        Assert.Equal(ResultStatus.Success, (await rig.PutAsync("k", "small")).Status);
    }

    [MemcachedTheory]
    [MemberData(nameof(Ways))]
    public async Task A_batch_is_answered_whole_also_while_others_ask(string protocol, string mode)
    {
        await using ItemRig rig = On(protocol, mode);
        Task others = Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 200; i++)
            {
                Assert.Equal(ResultStatus.Success, (await rig.IncrementAsync("others", initial: 1)).Status);
            }
        })));
        for (int round = 0; round < 20; round++)
        {
            OperationResult[] counted = await Task.WhenAll(Batch(rig));
            Assert.All(counted, result => Assert.Equal((ulong)round + 1, result.Number));
        }

        await others;
        Assert.Equal("800", ItemRig.Text(await rig.FetchAsync("others")));

        static Task<OperationResult>[] Batch(ItemRig rig)
        {
            using ClusterBatch batch = rig.Verbs.BeginBatch();
            return [.. Enumerable.Range(0, 100).Select(i => rig.IncrementAsync($"k{i}", initial: 1))];
        }
    }

    private ItemRig On(string protocol, string mode, int largestKept = int.MaxValue)
        => new(Enum.Parse<MemcachedProtocol>(protocol), Enum.Parse<CallMode>(mode), [_server!], largestKept: largestKept);

    private async Task<long> ConnectionsAsync()
        => long.Parse((await _server!.StatsAsync())["total_connections"], CultureInfo.InvariantCulture);
}
