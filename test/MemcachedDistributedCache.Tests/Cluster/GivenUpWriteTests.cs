using MemcachedDistributedCache.Consistency;
using System.Buffers;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Cluster;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Cluster;

/// <summary>Writes of which nobody waits for the end, and those that must not be made any more.</summary>
public sealed class GivenUpWriteTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();

    public void Dispose() => _log.Dispose();

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task One_that_waits_for_its_connection_is_uncertain_when_that_is_opened_or_cannot_be(bool isCancelled, bool isOpened)
    {
        var opening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var factory = new FakeFactory(async (attempt, _) =>
        {
            await (attempt == 2 ? opening.Task : Task.CompletedTask).ConfigureAwait(false);
            return new FakeTransport();
        });
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log, connections: 2);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the first connection is open");
        byte[] key = KeyOf(slot: 1);
        using var cancel = new CancellationTokenSource();
        ValueTask<OperationResult> removing = new ClusterClient(cluster).DeleteAsync(key, CallMode.Async, cancel.Token);
        await Eventually.True(() => factory.Attempts == 2, "its own connection is opened");
        if (isCancelled)
        {
            await cancel.CancelAsync();
        }
        else
        {
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        OperationResult result = await removing.AsTask().WaitAsync(Eventually.Limit);
        Assert.Equal(isCancelled ? ResultStatus.Canceled : ResultStatus.Failed, result.Status);
        Assert.Equal(!isCancelled, node.Consistency.IsUncertain(key));
        if (isOpened)
        {
            opening.SetResult();
            await Eventually.True(
                () => factory.Opened.Count == 2 && factory.Opened[1].Sent.Contains("md ", StringComparison.Ordinal),
                "it is sent all the same");
        }
        else
        {
            opening.SetException(new IOException("refused"));
        }

        // What is read or written meanwhile, another connection may carry, and a removal too.
        await Eventually.True(
            () => node.Consistency.Writes.Snapshot() is [{ Value.MayOvertakeRemoval: true }],
            "its key is uncertain, and a removal may come before it");
        Assert.True(node.Consistency.IsUncertain(key));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public async Task One_that_is_lost_with_its_connection_leaves_its_key_uncertain_unless_its_condition_never_comes_back(bool isForAbsence, bool isUncertain)
    {
        var factory = new FakeFactory();
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        OperationResult state = await StateAsync(cluster, factory.Opened[0]);
        ValueTask<OperationResult> storing = Store(cluster, isForAbsence ? null : state.CasToken);
        await Eventually.True(() => factory.Opened[0].Sent.Contains("ms key ", StringComparison.Ordinal), "it is sent");
        factory.Opened[0].Close();
        Assert.Equal(MemcachedFailureReason.ConnectionLost, (await storing.AsTask().WaitAsync(Eventually.Limit)).Failure?.Reason);
        Assert.Equal(isUncertain, node.Consistency.IsUncertain("key"u8));
    }

    [Theory]
    [InlineData(400ul, false, true)]
    [InlineData(450ul, false, false)]
    [InlineData(0ul, true, false)]
    public async Task Nothing_is_stored_over_a_state_that_is_not_to_be_read(ulong fence, bool areAllUncertain, bool isStored)
    {
        var factory = new FakeFactory();
        using ServerCluster cluster = ClusterRig.Start(factory, _time, _log);
        Node node = cluster.Nodes[0];
        await Eventually.True(() => node.State == MemcachedNodeState.Up, "the node is up");
        OperationResult state = await StateAsync(cluster, factory.Opened[0]);
        node.SetFence(fence);
        if (areAllUncertain)
        {
            node.Consistency.Writes.MarkAll();
        }

        ValueTask<OperationResult> storing = Store(cluster, state.CasToken);
        Assert.NotEqual(isStored, storing.IsCompleted);
        if (isStored)
        {
            factory.Opened[0].Reply($"HD {ClusterRig.TokenOf(factory.Opened[0].Sent)}\r\n");
        }

        Assert.Equal(isStored ? ResultStatus.Success : ResultStatus.Conflict, (await storing.AsTask().WaitAsync(Eventually.Limit)).Status);
    }

    /// <summary>Asks for the state of the key, which is the 450th on the server.</summary>
    private static async Task<OperationResult> StateAsync(ServerCluster cluster, FakeTransport transport)
    {
        ValueTask<OperationResult> looking = new ClusterClient(cluster).InspectAsync("key"u8, CallMode.Async, CancellationToken.None, withCas: true);
        await Eventually.True(() => transport.Sent.Length != 0, "the state is asked for");
        transport.Reply($"HD f0 t-1 c450 {ClusterRig.TokenOf(transport.Sent)}\r\n");
        OperationResult state = await looking.AsTask().WaitAsync(Eventually.Limit);
        Assert.Equal(450ul, state.Cas);
        return state;
    }

    private static ValueTask<OperationResult> Store(ServerCluster cluster, CasToken? casToken)
        => new ClusterClient(cluster).StoreAsync(
            "key"u8,
            new Item(default, new ReadOnlySequence<byte>([1, 2, 3]), 0, 60, 1000) { CasToken = casToken, OnlyIfAbsent = casToken is null },
            CallMode.Async,
            CancellationToken.None);

    private static byte[] KeyOf(uint slot)
    {
        for (byte letter = (byte)'a'; ; letter++)
        {
            byte[] key = [letter];
            if (HashRing.Hash(key) % 2 == slot)
            {
                return key;
            }
        }
    }
}
