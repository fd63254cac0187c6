using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

public sealed class ClassicReplyReaderTests
{
    private const string Nothing = "END\r\n";
    private const string Entry = "VALUE key 9 3 12\r\nabc\r\nEND\r\n";
    private const string Own = "VALUE key 77 0 12\r\n\r\nEND\r\n";
    private const string Others = "VALUE key 78 0 12\r\n\r\nEND\r\n";

    [Theory]
    [InlineData("Get", Entry, "Success", 12ul)]
    [InlineData("Get", Nothing, "Miss", 0ul)]
    [InlineData("Get", "SERVER_ERROR backend failure\r\n", "Failed", 0ul)]
    [InlineData("Get", "ERROR\r\n", "Failed", 0ul)]
    [InlineData("Get", "CLIENT_ERROR bad command line format\r\n", "Failed", 0ul)]
    [InlineData("Inspect", "CLIENT_ERROR\r\n", "Failed", 0ul)]
    [InlineData("Touch", "CLIENT_ERROR invalid exptime argument\r\n" + Entry, "Failed", 0ul)]
    [InlineData("Touch", "ERROR\r\nERROR\r\n", "Failed", 0ul)]
    [InlineData("Delete", "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n", "Failed", 0ul)]
    [InlineData("Delete", "ERROR\r\n", "Failed", 0ul)]
    [InlineData("Renew", "STORED\r\nCLIENT_ERROR bad command line format\r\n", "Success", 0ul)]
    [InlineData("NoOp", "SERVER_ERROR Connection refused\r\n", "Success", 0ul)]
    [InlineData("NoOp", "ERROR\r\n", "Success", 0ul)]
    [InlineData("Inspect", Entry, "Success", 12ul)]
    [InlineData("Inspect", Nothing, "Miss", 0ul)]
    [InlineData("Touch", "TOUCHED\r\n" + Entry, "Success", 12ul)]
    [InlineData("Touch", "TOUCHED\r\n" + Nothing, "Miss", 0ul)]
    [InlineData("Touch", "NOT_FOUND\r\n" + Nothing, "Miss", 0ul)]
    [InlineData("Touch", "NOT_FOUND\r\n" + Entry, "Miss", 0ul)] // stored between the two: it was not touched
    [InlineData("Touch", "SERVER_ERROR backend failure\r\n" + Entry, "Failed", 0ul)]
    [InlineData("Probe", "STORED\r\n" + Own, "Success", 12ul)]
    [InlineData("Probe", "STORED\r\n" + Others, "Success", 12ul)] // a later one is as good: the server has counted further
    [InlineData("Probe", "STORED\r\n" + Nothing, "Conflict", 0ul)]
    [InlineData("Probe", "SERVER_ERROR out of memory storing object\r\n" + Nothing, "Failed", 0ul)]
    [InlineData("Probe", "SERVER_ERROR out of memory storing object\r\n" + Others, "Failed", 0ul)]
    [InlineData("Store", "STORED\r\n", "Success", 0ul)]
    [InlineData("Add", "STORED\r\n", "Success", 0ul)]
    [InlineData("Add", "NOT_STORED\r\n", "Conflict", 0ul)]
    [InlineData("Over", "EXISTS\r\n", "Conflict", 0ul)]
    [InlineData("Over", "NOT_FOUND\r\n", "Conflict", 0ul)]
    [InlineData("Store", "SERVER_ERROR object too large for cache\r\n", "TooLarge", 0ul)]
    [InlineData("Store", "SERVER_ERROR out of memory storing object\r\n", "Failed", 0ul)]
    [InlineData("Renew", "STORED\r\n" + Own, "Success", 12ul)]
    [InlineData("Renew", "STORED\r\n" + Others, "Success", 0ul)]
    [InlineData("Renew", "STORED\r\n" + Nothing, "Success", 0ul)]
    [InlineData("Renew", "STORED\r\nSERVER_ERROR backend failure\r\n", "Success", 0ul)]
    [InlineData("Renew", "EXISTS\r\n" + Own, "Conflict", 0ul)]
    [InlineData("Renew", "NOT_FOUND\r\n" + Nothing, "Conflict", 0ul)]
    [InlineData("Mark", "STORED\r\nVALUE key 77 3 12\r\nabc\r\nEND\r\n", "Success", 12ul)]
    [InlineData("Mark", "STORED\r\nVALUE key 78 3 12\r\nabc\r\nEND\r\n", "Success", 0ul)]
    [InlineData("Mark", "STORED\r\nVALUE key 77 4 12\r\nabcd\r\nEND\r\n", "Success", 0ul)]
    [InlineData("Delete", "DELETED\r\n", "Success", 0ul)]
    [InlineData("Delete", "NOT_FOUND\r\n", "Miss", 0ul)]
    [InlineData("Delete", "SERVER_ERROR out of memory\r\n", "Failed", 0ul)]
    [InlineData("Expire", "STORED\r\n", "Success", 0ul)]
    [InlineData("Expire", "EXISTS\r\n", "Conflict", 0ul)]
    [InlineData("Expire", "NOT_FOUND\r\n", "Miss", 0ul)]
    [InlineData("NoOp", "VERSION 1.5.22\r\n", "Success", 0ul)]
    public void Every_request_takes_its_replies_at_every_split(string request, string reply, string status, ulong cas)
    {
        for (int step = 1; step <= reply.Length; step++)
        {
            using var rig = new ClassicReaderRig();
            ValueTask<OperationResult> task = rig.Ask(request);
            ValueTask<OperationResult> next = rig.Ask("Get", "next");
            Assert.Null(rig.Feed(reply, step));
            OperationResult result = ReaderRig.Now(task);
            Assert.Equal((Enum.Parse<ResultStatus>(status), cas), (result.Status, result.Cas));
            Assert.Equal(1, rig.Queue.Count);

            // What comes next is the next one's, and nothing of this reply is left.
            Assert.Null(rig.Feed("VALUE next 0 1 9\r\nx\r\nEND\r\n", step));
            Assert.Equal("x", Encoding.ASCII.GetString(ReaderRig.Now(next).Value!));
        }
    }

    [Theory]
    [InlineData("Lease", "STORED\r\n" + Own, "Success", "Won", 12ul)]
    [InlineData("Lease", "STORED\r\n" + Others, "Success", "Taken", 12ul)] // another's lease has taken its place already
    [InlineData("Lease", "NOT_STORED\r\n" + Others, "Success", "Taken", 12ul)]
    [InlineData("Lease", "NOT_STORED\r\n" + Own, "Success", "Taken", 12ul)] // by chance
    [InlineData("Lease", "NOT_STORED\r\n" + Entry, "Success", "None", 12ul)]
    [InlineData("Lease", "STORED\r\n" + Entry, "Success", "None", 12ul)]
    [InlineData("Lease", "NOT_STORED\r\n" + Nothing, "Miss", "None", 0ul)]
    [InlineData("Lease", "STORED\r\n" + Nothing, "Miss", "None", 0ul)]

    // A full server has the entry all the same.
    [InlineData("Lease", "SERVER_ERROR out of memory storing object\r\n" + Entry, "Success", "None", 12ul)]
    [InlineData("Lease", "SERVER_ERROR out of memory storing object\r\n" + Nothing, "Failed", "None", 0ul)]
    [InlineData("Lease", "STORED\r\nSERVER_ERROR backend failure\r\n", "Failed", "None", 0ul)]
    [InlineData("LeaseOnly", "STORED\r\n" + Own, "Success", "Won", 12ul)]
    [InlineData("LeaseOnly", "NOT_STORED\r\n" + Others, "Success", "Taken", 12ul)]
    [InlineData("LeaseOnly", "NOT_STORED\r\n" + Entry, "Success", "None", 12ul)]
    public void A_lease_is_won_by_whoever_finds_what_it_has_stored(string request, string reply, string status, string lease, ulong cas)
    {
        foreach (int step in (int[])[1, 5, int.MaxValue])
        {
            using var rig = new ClassicReaderRig();
            ValueTask<OperationResult> task = rig.Ask(request);
            Assert.Null(rig.Feed(reply, step));
            OperationResult result = ReaderRig.Now(task);
            Assert.Equal((status, lease, cas), (result.Status.ToString(), result.Lease.ToString(), result.Cas));
            bool hasValue = request == "Lease" && reply.Contains("abc", StringComparison.Ordinal);
            Assert.Equal(hasValue ? "abc" : "", Encoding.ASCII.GetString(result.Value ?? []));
        }
    }

    [Theory]
    [InlineData("Get", Entry)]
    [InlineData("Inspect", Entry)]
    [InlineData("Touch", "TOUCHED\r\n" + Entry)]
    public void No_server_tells_the_time_to_live(string request, string reply)
    {
        using var rig = new ClassicReaderRig();
        ValueTask<OperationResult> task = rig.Ask(request);
        Assert.Null(rig.Feed(reply));
        OperationResult result = ReaderRig.Now(task);
        Assert.Equal((OperationResult.UnknownTimeToLive, 9u), (result.TimeToLive, result.Flags));
    }

    [Theory]
    [InlineData("Get", "STORED\r\n")]
    [InlineData("Get", "VALUE other 0 1 1\r\nx\r\nEND\r\n")]
    [InlineData("Get", "VALUE ke 0 1 1\r\nx\r\nEND\r\n")]
    [InlineData("Get", "VALUE key 0 1 1\r\nxEND\r\n\r\n")]
    [InlineData("Get", "VALUE key 0 1 1\r\nx\r\nENDS\r\n")]
    [InlineData("Get", "VALUE key 0 1 1\r\nx\r\nVALUE key 0 1 1\r\nx\r\nEND\r\n")]
    [InlineData("Get", "VALUE key 0 1 1\r\nxy\r\nEND\r\n")]
    [InlineData("Get", "NOT_FOUND\r\n")]
    [InlineData("Get", "VA 1 f0 t1 O1\r\nx\r\n")]
    [InlineData("Get", "EN\r\n")]
    [InlineData("Inspect", "VALUE other 0 1 1\r\nx\r\nEND\r\n")]
    [InlineData("Touch", Entry)]
    [InlineData("Touch", "STORED\r\n")]
    [InlineData("Touch", "TOUCHED\r\nTOUCHED\r\n")]
    [InlineData("Touch", "TOUCHED\r\nVALUE other 0 1 1\r\nx\r\nEND\r\n")]
    [InlineData("Probe", "NOT_STORED\r\n")]
    [InlineData("Probe", "STORED\r\nSTORED\r\n")]
    [InlineData("Store", "NOT_STORED\r\n")] // would pass for a success: a plain set has no condition
    [InlineData("Store", "EXISTS\r\n")]
    [InlineData("Store", "NOT_FOUND\r\n")]
    [InlineData("Add", "EXISTS\r\n")]
    [InlineData("Over", "NOT_STORED\r\n")]
    [InlineData("Store", "DELETED\r\n")]
    [InlineData("Store", "END\r\n")]
    [InlineData("Store", "ERROR\r\n")]
    [InlineData("Store", "CLIENT_ERROR bad data chunk\r\n")]
    [InlineData("Add", "CLIENT_ERROR bad command line format\r\n")] // its data are a command to the server
    [InlineData("Probe", "CLIENT_ERROR bad command line format\r\n")]
    [InlineData("Lease", "ERROR\r\n")]
    [InlineData("Renew", "ERROR\r\n")]
    [InlineData("Expire", "ERROR\r\n")]
    [InlineData("Renew", "STORED\r\nVALUE other 77 0 1\r\n\r\nEND\r\n")]
    [InlineData("Delete", "STORED\r\n")]
    [InlineData("Delete", "EXISTS\r\n")]
    [InlineData("Delete", "TOUCHED\r\n")]
    [InlineData("Expire", "DELETED\r\n")]
    [InlineData("Expire", "NOT_STORED\r\n")]
    [InlineData("Lease", "EXISTS\r\n")]
    [InlineData("Lease", "NOT_FOUND\r\n")]
    [InlineData("Lease", "STORED\r\nVALUE other 77 0 1\r\n\r\nEND\r\n")]
    [InlineData("NoOp", "MN\r\n")]
    [InlineData("NoOp", "END\r\n")]
    [InlineData("Get", "VALUE key 0 4294967296 1\r\n")]
    [InlineData("Get", "VALUE key 0 1073741825 1\r\n")] // larger than any item
    [InlineData("Get", "\n")]
    public void A_surprise_is_a_violation_and_all_operations_fail(string request, string reply)
    {
        foreach (int step in (int[])[1, 3, int.MaxValue])
        {
            using var rig = new ClassicReaderRig();
            ValueTask<OperationResult> task = rig.Ask(request);
            ValueTask<OperationResult> next = rig.Ask("Get", "next");
            Assert.NotNull(rig.Feed(reply, step));
            Assert.False(task.IsCompleted);
            rig.End();
            Assert.Equal(ResultStatus.Failed, ReaderRig.Now(task).Status);
            Assert.Equal(ResultStatus.Failed, ReaderRig.Now(next).Status);
        }
    }

    [Fact]
    public void A_server_that_refuses_a_command_twice_is_found_out_by_a_barrier()
    {
        using var rig = new ClassicReaderRig();
        ValueTask<OperationResult> first = rig.Ask("Delete");
        ValueTask<OperationResult> second = rig.Ask("Delete", "other");
        Assert.Null(rig.Feed("ERROR\r\n"));
        Assert.Equal(1, rig.Barriers);
        ValueTask<OperationResult> barrier = rig.Ask("NoOp");
        Assert.Null(rig.Feed("ERROR\r\n")); // of the first, for all we know
        Assert.Equal(1, rig.Barriers); // there is one
        Assert.Contains("no reply to NoOp", rig.Feed("DELETED\r\n"), StringComparison.Ordinal);
        rig.End();
        Assert.Equal(ResultStatus.Failed, ReaderRig.Now(first).Status);
        Assert.Equal(ResultStatus.Failed, ReaderRig.Now(second).Status); // uncertain, and removed again
        Assert.Equal(ResultStatus.Failed, ReaderRig.Now(barrier).Status);
    }

    [Fact]
    public void Each_barrier_that_was_answered_lets_the_next_refusal_have_one()
    {
        using var rig = new ClassicReaderRig();
        for (int i = 1; i <= 3; i++)
        {
            ValueTask<OperationResult> refused = rig.Ask("Get");
            Assert.Null(rig.Feed("CLIENT_ERROR bad command line format\r\n"));
            Assert.Equal(i, rig.Barriers);
            ValueTask<OperationResult> barrier = rig.Ask("NoOp");
            Assert.Null(rig.Feed("VERSION 1.5.22\r\n"));
            Assert.Equal(ResultStatus.Failed, ReaderRig.Now(refused).Status);
            Assert.Equal(ResultStatus.Success, ReaderRig.Now(barrier).Status);
        }

        // A server error is the answer to a request that was read, and needs none.
        ValueTask<OperationResult> failed = rig.Ask("Get");
        Assert.Null(rig.Feed("SERVER_ERROR out of memory\r\n"));
        Assert.Equal(3, rig.Barriers);
        Assert.Equal(ResultStatus.Failed, ReaderRig.Now(failed).Status);
    }

    [Theory]
    [InlineData("STORED\r\n")]
    [InlineData(Nothing)]
    [InlineData(Entry)]
    [InlineData("SERVER_ERROR out of memory\r\n")]
    public void A_reply_that_nobody_asked_for_is_a_violation(string reply)
    {
        using var rig = new ClassicReaderRig();
        Assert.Contains("nobody asked", rig.Feed(reply), StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_of_a_key_or_value_is_in_what_a_violation_says()
    {
        using var rig = new ClassicReaderRig();
        _ = rig.Ask("Get").AsTask();
        string violation = rig.Feed("VALUE secret 0 1 1\r\nx\r\nEND\r\n")!;
        Assert.DoesNotContain("secret", violation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Get")]
    [InlineData("Inspect")]
    public void A_prefix_is_taken_off_and_what_is_not_wanted_is_read_over(string request)
    {
        using var rig = new ClassicReaderRig();
        ValueTask<OperationResult> task = rig.Ask(request);
        Assert.Null(rig.Feed($"VALUE key {ReaderRig.Prefixed} 13 1\r\n\0\0\0\0\0\0\u0001\u0002hello\r\nEND\r\n", 4));
        OperationResult result = ReaderRig.Now(task);
        Assert.Equal(request == "Get" ? "hello" : "", Encoding.ASCII.GetString(result.Value ?? []));
        Assert.Equal(request == "Get" ? 258L : 0, result.Prefix);
    }

    [Fact]
    public void A_large_value_is_received_into_its_array_and_its_end_is_looked_for()
    {
        string value = new('v', 300_000);
        using var rig = new ClassicReaderRig();
        ValueTask<OperationResult> task = rig.Ask("Get");
        Assert.Null(rig.Feed($"VALUE key 0 {value.Length} 1\r\n{value}\r\nEND\r\n", 30_000));
        Assert.Equal(value, Encoding.ASCII.GetString(ReaderRig.Now(task).Value!));
        ValueTask<OperationResult> next = rig.Ask("Get");
        Assert.NotNull(rig.Feed($"VALUE key 0 {value.Length} 1\r\n{value}\r\nSTOP\r\n", 30_000));
        rig.End();
        Assert.Equal(ResultStatus.Failed, ReaderRig.Now(next).Status);
    }

    [Fact]
    public void An_item_behind_the_fence_is_not_read()
    {
        using var rig = new ClassicReaderRig();
        rig.Owner.Fence = 12;
        ValueTask<OperationResult> old = rig.Ask("Get");
        ValueTask<OperationResult> look = rig.Ask("Inspect");
        Assert.Null(rig.Feed(Entry + Entry));
        Assert.Equal(ResultStatus.Miss, ReaderRig.Now(old).Status);
        Assert.True(ReaderRig.Now(look).IsUnreadable);
    }

    [Fact]
    public void A_lease_that_is_won_for_nobody_is_told()
    {
        var told = new List<(string, ulong)>();
        var queue = new PendingQueue();
        using var reader = new ReplyReader(queue, static _ => false, new FakeOwner())
        {
            LeaseUnheard = (key, cas) => told.Add((Encoding.ASCII.GetString(key), cas)),
        };
        reader.Begin(new MemcachedDistributedCache.Protocol.Handshake(MemcachedProtocol.Classic));
        using var source = new CancellationTokenSource();
        var request = new LeaseRequest(MemcachedDistributedCache.Protocol.WireKey.Of("key"u8), 10, withValue: true, ClassicReaderRig.OwnFlags);
        PendingOperation operation = PendingOperation.Rent(queue, OperationKind.Lease, ValueTarget.OwnArray, CallMode.Async, 0);
        operation.ChangedKey = request.ChangedKey;
        operation.Expect(request.Expectation);
        queue.Enqueue_NeedsLock(operation);
        _ = operation.AsValueTask(source.Token).AsTask();
        source.Cancel();
        byte[] reply = Encoding.ASCII.GetBytes("STORED\r\n" + Own);
        reply.CopyTo(reader.GetMemory());
        Assert.Null(reader.Advance(reply.Length));
        Assert.Equal([("key", 12ul)], told);
    }
}
