using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>
/// A change without a definite answer is recorded where it ends, by whatever way it ends, and one that was made may
/// settle a key.
/// </summary>
public sealed class ChangeOutcomesTests
{
    [Fact]
    public async Task A_change_that_times_out_is_recorded_before_its_caller_hears_of_it()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> removing = rig.Execute(OperationKind.Delete);
        rig.Pass(rig.Limit);
        Assert.Equal(MemcachedFailureReason.TimedOut, (await removing.WaitAsync(Eventually.Limit)).Failure!.Reason);
        (string key, bool mayOvertakeRemoval, long settledBy) = Assert.Single(rig.Owner.Uncertain);
        Assert.Equal(("key", false), (key, mayOvertakeRemoval));
        Assert.True(settledBy > 0, "a later change by the same connection settles it");
    }

    [Fact]
    public async Task A_change_that_a_blocked_caller_gives_up_may_come_after_the_removal_of_its_key()
    {
        using ConnectionRig rig = await new ConnectionRig(mode: CallMode.Sync, limit: TimeSpan.FromMilliseconds(50)).Opened();
        Assert.True(
            rig.Connection.TryExecute(
                new KeyRequest(OperationKind.Delete, WireKey.Of("key"u8)),
                ValueTarget.OwnArray,
                CancellationToken.None,
                out ValueTask<OperationResult> result));
        Assert.Equal(MemcachedFailureReason.TimedOut, (await result).Failure!.Reason);
        Assert.Equal(("key", true), Assert.Single(rig.Owner.Uncertain.Select(static change => (change.Key, change.MayOvertakeRemoval))));
    }

    [Fact]
    public async Task A_change_that_finds_no_room_is_settled_by_any_later_one()
    {
        using ConnectionRig rig = await new ConnectionRig(maximumPending: 1).Opened();
        _ = rig.Execute(OperationKind.Get);
        Assert.Equal(MemcachedFailureReason.Overloaded, (await rig.Execute(OperationKind.Delete)).Failure!.Reason);
        Assert.Equal(("key", false, SettlingConnection.Any), Assert.Single(rig.Owner.Uncertain));
    }

    [Fact]
    public async Task A_change_whose_connection_cannot_be_opened_is_settled_by_any_later_one()
    {
        using var rig = new ConnectionRig(new FakeFactory(static _ => throw new IOException("refused")), start: false);
        Task<OperationResult> removing = rig.Execute(OperationKind.Delete);
        rig.Connection.Start();
        Assert.Equal(MemcachedFailureReason.Unavailable, (await removing.WaitAsync(Eventually.Limit)).Failure!.Reason);
        Assert.Equal(("key", false, SettlingConnection.Any), Assert.Single(rig.Owner.Uncertain));
    }

    [Fact]
    public async Task A_change_that_is_lost_with_its_connection_is_settled_by_none()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> removing = rig.Execute(OperationKind.Delete);
        await Eventually.True(() => rig.Transport.Sent.Length != 0, "it is sent");
        rig.Transport.Close();
        Assert.Equal(MemcachedFailureReason.ConnectionLost, (await removing.WaitAsync(Eventually.Limit)).Failure!.Reason);
        Assert.Equal(("key", true, SettlingConnection.None), Assert.Single(rig.Owner.Uncertain));
    }

    [Theory]
    [InlineData("SERVER_ERROR out of memory storing object\r\n", MemcachedFailureReason.ServerOutOfMemory)]
    [InlineData("SERVER_ERROR something else\r\n", MemcachedFailureReason.ServerError)]
    public async Task A_change_that_the_server_refuses_in_words_is_recorded(string reply, MemcachedFailureReason reason)
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> storing = rig.Store([1]);
        await Eventually.True(() => rig.Transport.Sent.Length != 0, "it is sent");
        rig.Transport.Reply(reply);
        Assert.Equal(reason, (await storing.WaitAsync(Eventually.Limit)).Failure!.Reason);
        Assert.Equal(("key", false), Assert.Single(rig.Owner.Uncertain.Select(static change => (change.Key, change.MayOvertakeRemoval))));
    }

    [Theory]
    [InlineData(nameof(OperationKind.Get))]
    [InlineData(nameof(OperationKind.Touch))]
    [InlineData(nameof(OperationKind.NoOp))]
    public async Task What_changes_no_value_leaves_nothing_uncertain(string kind)
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> asked = rig.Execute(Enum.Parse<OperationKind>(kind));
        rig.Pass(rig.Limit);
        Assert.Equal(MemcachedFailureReason.TimedOut, (await asked.WaitAsync(Eventually.Limit)).Failure!.Reason);
        Assert.Empty(rig.Owner.Uncertain);
    }

    [Fact]
    public async Task The_retry_of_a_change_that_timed_out_settles_its_key_and_the_late_reply_does_not()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> first = rig.Execute(OperationKind.Delete);
        rig.Pass(rig.Limit);
        await first.WaitAsync(Eventually.Limit);
        long recorded = rig.Owner.LastUncertainVersion;
        Task<OperationResult> retry = rig.Execute(OperationKind.Delete);
        await Eventually.True(() => rig.Transport.Sent.Split("md ").Length == 3, "it is sent");
        string[] tokens = [.. rig.Transport.Sent.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Select(ClusterRig.TokenOf)];
        rig.Transport.Reply($"HD {tokens[0]}\r\n");
        await Eventually.True(() => rig.Transport.IsReadUp && rig.Connection.PendingCount == 1, "the late reply has come");
        Assert.Empty(rig.Owner.Settled);
        rig.Transport.Reply($"NF {tokens[1]}\r\n");
        Assert.Equal(ResultStatus.Miss, (await retry.WaitAsync(Eventually.Limit)).Status);
        Assert.Equal(("key", recorded, rig.Owner.Uncertain[0].SettledBy), Assert.Single(rig.Owner.Settled));
    }

    [Fact]
    public async Task While_nothing_was_ever_uncertain_a_change_settles_nothing()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> storing = rig.Store([1]);
        await Eventually.True(() => rig.Transport.Sent.Length != 0, "it is sent");
        rig.Transport.Reply($"HD {ClusterRig.TokenOf(rig.Transport.Sent.Split("\r\n")[0])}\r\n");
        Assert.Equal(ResultStatus.Success, (await storing.WaitAsync(Eventually.Limit)).Status);
        Assert.Empty(rig.Owner.Settled);
    }
}
