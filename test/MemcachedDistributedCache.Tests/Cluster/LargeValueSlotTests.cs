using MemcachedDistributedCache.Consistency;
using System.Buffers;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>What is read on the connection for large values, and what not; the ordinary one is the first that is opened.</summary>
public sealed class LargeValueSlotTests : IDisposable
{
    private const int Large = LargeValues.MinimumLength;
    private readonly LargeValueRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task A_large_value_has_a_connection_of_its_own_from_the_second_read_on()
    {
        FakeFactory factory = _rig.Factory();
        using ServerCluster cluster = await _rig.StartAsync(factory);
        var client = new ClusterClient(cluster);
        await _rig.ReadAsync(client, "big");
        Assert.Equal(1, factory.Attempts);
        for (int i = 0; i < 10; i++)
        {
            await _rig.ReadAsync(client, "big");
        }

        Assert.Equal((1, 10), (LargeValueRig.Reads(factory.Opened[0], "big"), LargeValueRig.Reads(factory.Opened[1], "big")));
        Assert.Equal(2, factory.Attempts);
    }

    [Fact]
    public async Task No_read_waits_until_it_is_open()
    {
        var opening = new TaskCompletionSource();
        var factory = new FakeFactory(async (attempt, _) =>
        {
            await (attempt == 2 ? opening.Task : Task.CompletedTask).ConfigureAwait(false);
            return new FakeTransport { Answer = _rig.Answer };
        });
        using ServerCluster cluster = await _rig.StartAsync(factory);
        var client = new ClusterClient(cluster);
        for (int i = 0; i < 10; i++)
        {
            await _rig.ReadAsync(client, "big");
        }

        Assert.Equal((10, 2), (LargeValueRig.Reads(factory.Opened[0], "big"), factory.Attempts));
        opening.SetResult();
        await LargeValueRig.UntilItServesAsync(client, factory);
        Assert.Equal(2, factory.Attempts);
    }

    [Fact]
    public async Task Small_values_and_what_is_not_there_stay_where_they_were()
    {
        FakeFactory factory = _rig.Factory();
        using ServerCluster cluster = await _rig.StartAsync(factory);
        var client = new ClusterClient(cluster);
        for (int i = 0; i < 3; i++)
        {
            await _rig.ReadAsync(client, "small");
            Assert.Equal(ResultStatus.Miss, (await LargeValueRig.GetAsync(client, "none")).Status);
        }

        Assert.Equal(1, factory.Attempts);
        await LargeValueRig.UntilItServesAsync(client, factory);
        for (int i = 0; i < 10; i++)
        {
            await _rig.ReadAsync(client, "small");
            Assert.Equal(ResultStatus.Miss, (await LargeValueRig.GetAsync(client, "none")).Status);
        }

        Assert.Equal((13, 0), (LargeValueRig.Reads(factory.Opened[0], "small"), LargeValueRig.Reads(factory.Opened[1], "small")));
        Assert.Equal((13, 0), (LargeValueRig.Reads(factory.Opened[0], "none"), LargeValueRig.Reads(factory.Opened[1], "none")));
    }

    [Fact]
    public async Task A_small_read_waits_for_no_large_one()
    {
        // Large values do not come on the second connection.
        FakeFactory factory = _rig.Factory(static (attempt, answer) => new FakeTransport { Answer = attempt == 2 ? static _ => null : answer });
        using ServerCluster cluster = await _rig.StartAsync(factory);
        Node node = cluster.Nodes[0];
        var client = new ClusterClient(cluster);
        List<Task<OperationResult>> waiting = [];
        await Eventually.True(
            () =>
            {
                waiting.Add(LargeValueRig.GetAsync(client, "big").AsTask());
                return factory.Opened.Count == 2 && LargeValueRig.Reads(factory.Opened[1], "big") != 0;
            },
            "one is asked for on the second connection");
        await _rig.ReadAsync(client, "small");
        Assert.False(waiting[^1].IsCompleted);
        Assert.Equal(1, node.PendingCount);

        // It has its deadline like any other.
        _rig.Time.Advance(TimeSpan.FromSeconds(1.1));
        Assert.Equal(MemcachedFailureReason.TimedOut, (await waiting[^1].WaitAsync(Eventually.Limit)).Failure?.Reason);
        Assert.Equal(MemcachedNodeState.Up, node.State);
    }

    [Fact]
    public async Task Only_plain_reads_take_it()
    {
        FakeFactory factory = _rig.Factory();
        using ServerCluster cluster = await _rig.StartAsync(factory);
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        string before = factory.Opened[1].Sent;
        var item = new ReadOnlySequence<byte>(new byte[Large]);
        byte[] key = [.. "big"u8];
        CancellationToken none = CancellationToken.None;
        Assert.Equal(ResultStatus.Success, (await client.StoreAsync(key, new Item(default, item, 0, 60, int.MaxValue), CallMode.Async, none)).Status);
        Assert.Equal(ResultStatus.Success, (await client.InspectAsync(key, CallMode.Async, none)).Status);
        Assert.Equal(ResultStatus.Success, (await client.TouchAsync(key, 60, CallMode.Async, none)).Status);
        Assert.Equal(ResultStatus.Success, (await client.LeaseAsync(key, 10, withValue: true, none)).Status);
        Assert.Equal(ResultStatus.Success, (await client.GetAsync(key, ValueTarget.OwnArray, CallMode.Async, none, ReadRequirements.InOrder)).Status);

        // What is read with its state is good for a change by that state, which is asked on the key's own connection.
        OperationResult read = await client.GetAsync(key, ValueTarget.OwnArray, CallMode.Async, none, ReadRequirements.CasToken);
        Assert.Equal(ResultStatus.Success, (await client.StoreAsync(key, new Item(default, item, 0, 60, int.MaxValue) { CasToken = read.CasToken }, CallMode.Async, none)).Status);
        Assert.Equal(ResultStatus.Success, (await client.DeleteAsync(key, read.CasToken, none)).Status);
        Assert.Equal(ResultStatus.Success, (await client.DeleteAsync(key, CallMode.Async, none)).Status);
        Assert.Equal(before, factory.Opened[1].Sent);
        Assert.Equal(2, factory.Attempts);

        // Callers who block keep their own connection.
        Assert.Equal(ResultStatus.Success, (await client.GetAsync(key, ValueTarget.OwnArray, CallMode.Sync, none)).Status);
        Assert.Equal((before, 3), (factory.Opened[1].Sent, factory.Attempts));
    }

    [Fact]
    public async Task A_number_that_is_asked_for_a_fences_sake_keeps_no_read_off_it()
    {
        FakeFactory factory = _rig.Factory();
        using ServerCluster cluster = await _rig.StartAsync(factory);
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        cluster.Nodes[0].SetFence(6);
        await _rig.ReadAsync(client, "big");
        Assert.Contains("mg big v f t c ", factory.Opened[1].Sent, StringComparison.Ordinal);
        cluster.Nodes[0].SetFence(7);
        Assert.Equal(ResultStatus.Miss, (await LargeValueRig.GetAsync(client, "big")).Status);
    }

    [Fact]
    public async Task A_value_that_has_become_small_is_read_on_the_ordinary_one_again()
    {
        FakeFactory factory = _rig.Factory();
        using ServerCluster cluster = await _rig.StartAsync(factory);
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        _rig.Lengths["big"] = 5;
        (int ordinary, int own) = (LargeValueRig.Reads(factory.Opened[0], "big"), LargeValueRig.Reads(factory.Opened[1], "big"));
        for (int i = 0; i < 3; i++)
        {
            await _rig.ReadAsync(client, "big");
        }

        Assert.Equal((ordinary + 2, own + 1), (LargeValueRig.Reads(factory.Opened[0], "big"), LargeValueRig.Reads(factory.Opened[1], "big")));
    }

    [Fact]
    public async Task A_read_whose_own_connection_cannot_be_opened_does_not_take_it()
    {
        // The second is the one for large values, which are of the first slot; the third would be the second slot's.
        FakeFactory factory = _rig.Factory(static (attempt, answer) => attempt <= 2 ? new FakeTransport { Answer = answer } : throw new IOException("refused"));
        using ServerCluster cluster = await _rig.StartAsync(factory, connections: 2);
        var client = new ClusterClient(cluster);
        string large = LargeValueRig.KeyOf(slot: 0);
        string small = LargeValueRig.KeyOf(slot: 1);
        (_rig.Lengths[large], _rig.Lengths[small]) = (Large, 5);
        await LargeValueRig.UntilItServesAsync(client, factory, large);
        await Eventually.True(
            () => LargeValueRig.GetAsync(client, small).AsTask().GetAwaiter().GetResult().Status == ResultStatus.Success,
            "another connection serves");
        Assert.True(LargeValueRig.Reads(factory.Opened[0], small) > 0);
        Assert.Equal(0, LargeValueRig.Reads(factory.Opened[1], small));
    }

    [Fact]
    public async Task While_a_cancelled_write_may_be_on_its_way_its_key_is_read_in_order()
    {
        // The first connection holds back whatever comes after the write, and the write.
        bool isHeld = false;
        FakeFactory factory = _rig.Factory(
            (attempt, answer) => new FakeTransport { Answer = sent => attempt == 1 && Volatile.Read(ref isHeld) ? null : answer(sent) });
        using ServerCluster cluster = await _rig.StartAsync(factory);
        var client = new ClusterClient(cluster);
        await LargeValueRig.UntilItServesAsync(client, factory);
        EntryStore store = _rig.Store(client);
        Volatile.Write(ref isHeld, true);
        using var caller = new CancellationTokenSource();
        Task writing = store.SetAsync("big", new ReadOnlySequence<byte>([1]), new DistributedCacheEntryOptions(), CallMode.Async, caller.Token).AsTask();
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing);

        string before = factory.Opened[1].Sent;
        int count = LargeValueRig.Reads(factory.Opened[0], "big");
        Task<byte[]?> reading = store.GetAsync("big", CallMode.Async, CancellationToken.None).AsTask();
        await Eventually.True(() => LargeValueRig.Reads(factory.Opened[0], "big") == count + 1, "it is asked for behind the write");
        Assert.False(reading.IsCompleted);
        Assert.Equal(before, factory.Opened[1].Sent);
        string[] lines = factory.Opened[0].Sent.Split("\r\n");
        string write = lines.Last(static line => line.StartsWith("ms big ", StringComparison.Ordinal));
        string read = lines.Last(static line => line.StartsWith("mg big ", StringComparison.Ordinal));
        factory.Opened[0].Reply($"HD {ClusterRig.TokenOf(write)}\r\nVA 1 f0 t-1 {ClusterRig.TokenOf(read)}\r\nn\r\n");
        Assert.Equal("n"u8.ToArray(), await reading.WaitAsync(Eventually.Limit));
        Assert.Equal(MemcachedNodeState.Up, cluster.Nodes[0].State);

        // Until it has happened or cannot any more; a small value has no such connection, so it is made large again.
        Volatile.Write(ref isHeld, false);
        int own = LargeValueRig.Reads(factory.Opened[1], "big");
        Assert.Equal(Large, (await store.GetAsync("big", CallMode.Async, CancellationToken.None))!.Length);
        Assert.Equal(own, LargeValueRig.Reads(factory.Opened[1], "big"));
        _rig.Time.Advance(TimeSpan.FromSeconds(3));
        await _rig.ReadAsync(client, "big");
        Assert.Equal(Large, (await store.GetAsync("big", CallMode.Async, CancellationToken.None))!.Length);
        Assert.True(LargeValueRig.Reads(factory.Opened[1], "big") > own);
    }
}
