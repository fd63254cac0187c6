using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>Requests of one thread that go out together.</summary>
public sealed class CorkTests
{
    private static readonly PendingQueue Elsewhere = new(); // these operations are never swept

    [Fact]
    public async Task All_requests_under_a_cork_go_out_in_one_send_to_each_connection()
    {
        using ConnectionRig first = await new ConnectionRig().Opened();
        using ConnectionRig second = await new ConnectionRig().Opened();
        (int firstBefore, int secondBefore) = (first.Transport.Sends, second.Transport.Sends);
        List<Task<OperationResult>> asked = AskUnderACork(first, second, 10);
        Assert.Equal((firstBefore + 1, secondBefore + 1), (first.Transport.Sends, second.Transport.Sends));
        Assert.Equal((10, 10), (Requests(first), Requests(second)));
        Assert.All(asked, static task => Assert.False(task.IsCompleted));

        // Afterwards the thread's requests are sent as ever.
        _ = first.Execute(OperationKind.Get);
        await Eventually.True(() => Requests(first) == 11, "the next is sent");
    }

    [Fact]
    public void Whoever_else_asks_takes_the_turn_and_is_not_kept_waiting()
    {
        RequestWriter writer = Writer(CallMode.Async);
        Cork cork = Cork.Set()!;
        Assert.Null(Cork.Set()); // a batch within a batch
        Assert.Equal(RequestWriter.Outcome.Corked, Delete(writer));
        Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer));
        RequestWriter.Outcome ofOther = default;
        var other = new Thread(() => ofOther = Delete(writer));
        other.Start();
        other.Join();
        Assert.Equal(RequestWriter.Outcome.SendSoon, ofOther);
        Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer)); // behind the other, who sends
        Assert.False(writer.TryUncork(cork));
        Assert.Equal("md k O1\r\nmd k O2\r\nmd k O3\r\nmd k O4\r\n".Length, writer.TakeForSending()!.Length);
        cork.Pull();
    }

    [Fact]
    public void What_gathers_is_sent_by_whoever_pulls_the_cork()
    {
        RequestWriter writer = Writer(CallMode.Async);
        Cork cork = Cork.Set()!;
        Assert.Equal(RequestWriter.Outcome.Corked, Delete(writer));
        Assert.True(writer.TryUncork(cork));
        Assert.False(writer.TryUncork(cork));
        cork.Pull();
        Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer)); // the turn is the one's who pulled
    }

    [Fact]
    public void Who_blocks_for_an_answer_sends_at_once()
    {
        RequestWriter writer = Writer(CallMode.Sync);
        Cork cork = Cork.Set()!;
        Assert.Equal(RequestWriter.Outcome.SendNow, Delete(writer));
        cork.Pull();
    }

    [Fact]
    public async Task A_forgotten_cork_holds_nothing_back_for_long()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Cork cork = Forget(rig);
        await Eventually.True(
            () =>
            {
                int timedOut = 0;
                long answered = 0;
                rig.Connection.Scan(ref timedOut, ref answered);
                return Requests(rig) == 1;
            },
            "the time-out scanner lets it go out");
        Assert.True(cork.IsTooOld);

        static Cork Forget(ConnectionRig rig)
        {
            // A thread of its own, which ends and takes its cork with it.
            Cork? cork = null;
            var thread = new Thread(() =>
            {
                cork = Cork.Set();
                _ = rig.Execute(OperationKind.Get);
            });
            thread.Start();
            thread.Join();
            return cork!;
        }
    }

    private static List<Task<OperationResult>> AskUnderACork(ConnectionRig first, ConnectionRig second, int count)
    {
        var asked = new List<Task<OperationResult>>();
        Cork cork = Cork.Set()!;
        (int firstBefore, int secondBefore) = (first.Transport.Sends, second.Transport.Sends);
        for (int i = 0; i < count; i++)
        {
            asked.Add(first.Execute(OperationKind.Get));
            asked.Add(second.Execute(OperationKind.Get));
        }

        Assert.Equal((firstBefore, secondBefore), (first.Transport.Sends, second.Transport.Sends));
        cork.Pull();
        return asked;
    }

    private static int Requests(ConnectionRig rig) => rig.Transport.Sent.Split("mg key ").Length - 1;

    private static RequestWriter Writer(CallMode mode)
    {
        var writer = new RequestWriter(new PendingQueue(), 1000, 1_000_000, MemcachedProtocol.Meta, mode);
        Assert.Null(writer.TakeForSending());
        return writer;
    }

    private static RequestWriter.Outcome Delete(RequestWriter writer)
        => writer.Enqueue(
            new KeyRequest(OperationKind.Delete, WireKey.Of("k"u8)),
            PendingOperation.Rent(Elsewhere, OperationKind.Delete, ValueTarget.OwnArray, CallMode.Async, 0));
}
