using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>The classic replies to the typed client's requests.</summary>
public sealed class ClassicItemRepliesTests
{
    private const string NotNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value";

    [Theory]
    [InlineData("Fetch", "VALUE key 7 3 9\r\nabc\r\nEND\r\n", "Success")]
    [InlineData("Fetch", "END\r\n", "Miss")]
    [InlineData("Look", "VALUE key 7 3 9\r\nabc\r\nEND\r\n", "Success")]
    [InlineData("Look", "END\r\n", "Miss")]
    [InlineData("FetchTouch", "TOUCHED\r\nVALUE key 7 3 9\r\nabc\r\nEND\r\n", "Success")]
    [InlineData("FetchTouch", "TOUCHED\r\nEND\r\n", "Miss")]
    [InlineData("FetchTouch", "NOT_FOUND\r\nEND\r\n", "Miss")]
    [InlineData("FetchTouch", "NOT_FOUND\r\nVALUE key 7 3 9\r\nabc\r\nEND\r\n", "Miss")]
    [InlineData("FetchTouch", "SERVER_ERROR out of memory\r\nVALUE key 7 3 9\r\nabc\r\nEND\r\n", "Failed")]
    [InlineData("Touch", "TOUCHED\r\nVALUE key 7 3 9\r\nabc\r\nEND\r\n", "Success")]
    [InlineData("Set", "STORED\r\n", "Success")]
    [InlineData("Set", "SERVER_ERROR object too large for cache\r\n", "TooLarge")]
    [InlineData("Set", "SERVER_ERROR out of memory storing object\r\n", "Failed")]
    [InlineData("Add", "NOT_STORED\r\n", "Conflict")]
    [InlineData("Replace", "NOT_STORED\r\n", "Conflict")]
    [InlineData("Append", "STORED\r\n", "Success")]
    [InlineData("Append", "NOT_STORED\r\n", "Conflict")]
    [InlineData("Append", "SERVER_ERROR object too large for cache\r\n", "TooLarge")]
    [InlineData("Compare", "STORED\r\n", "Success")]
    [InlineData("Compare", "EXISTS\r\n", "Conflict")]
    [InlineData("Compare", "NOT_FOUND\r\n", "Miss")]
    [InlineData("AppendToState", "VERSION 1.4.15\r\n", "Unsupported")]
    [InlineData("MarkStale", "VERSION 1.4.15\r\n", "Unsupported")]
    [InlineData("MarkStale", "SERVER_ERROR busy\r\n", "Unsupported")]
    [InlineData("Increment", "5\r\n", "Success")]
    [InlineData("Increment", "18446744073709551615\r\n", "Success")]
    [InlineData("Increment", "NOT_FOUND\r\n", "Miss")]
    [InlineData("Increment", NotNumeric + "\r\n", "Rejected")]
    [InlineData("Increment", "SERVER_ERROR out of memory in incr\r\n", "Failed")]
    [InlineData("Increment", NotNumeric + " \r\n", "Failed")]
    [InlineData("Fetch", "CLIENT_ERROR bad command line format\r\n", "Failed")]
    public void Every_request_takes_its_replies(string request, string reply, string status)
    {
        for (int step = 1; step <= reply.Length; step++)
        {
            using var rig = new ClassicReaderRig();
            ValueTask<OperationResult> task = Ask(rig, request);
            Assert.Null(rig.Feed(reply, step));
            Assert.Equal(Enum.Parse<ResultStatus>(status), ReaderRig.Now(task).Status);
            Assert.Equal(0, rig.Queue.Count);
        }
    }

    [Theory]
    [InlineData("Fetch", "VALUE other 7 3 9\r\nabc\r\nEND\r\n")]
    [InlineData("Fetch", "5\r\n")]
    [InlineData("Fetch", "TOUCHED\r\n")]
    [InlineData("Fetch", NotNumeric + "\r\n")]
    [InlineData("FetchTouch", "VALUE key 7 3 9\r\nabc\r\nEND\r\n")]
    [InlineData("FetchTouch", "TOUCHED\r\n" + NotNumeric + "\r\n")]
    [InlineData("FetchTouch", "5\r\n")]
    [InlineData("Set", "NOT_STORED\r\n")]
    [InlineData("Set", "EXISTS\r\n")]
    [InlineData("Set", "NOT_FOUND\r\n")]
    [InlineData("Set", "5\r\n")]
    [InlineData("Set", "VERSION 1.4.15\r\n")]
    [InlineData("Add", "EXISTS\r\n")]
    [InlineData("Add", NotNumeric + "\r\n")]
    [InlineData("Append", "NOT_FOUND\r\n")]
    [InlineData("Append", "EXISTS\r\n")]
    [InlineData("Compare", "NOT_STORED\r\n")]
    [InlineData("AppendToState", "STORED\r\n")]
    [InlineData("MarkStale", "DELETED\r\n")]
    [InlineData("MarkStale", "NOT_FOUND\r\n")]
    [InlineData("Increment", "STORED\r\n")]
    [InlineData("Increment", "END\r\n")]
    [InlineData("Increment", "18446744073709551616\r\n")]
    [InlineData("Increment", "000000000000000000001\r\n")]
    [InlineData("Increment", "-5\r\n")]
    [InlineData("Increment", "5 \r\n")]
    [InlineData("Increment", "\r\n")]
    [InlineData("Set", "CLIENT_ERROR bad data chunk\r\n")]
    [InlineData("Append", "ERROR\r\n")]
    public void A_surprise_is_a_violation_and_the_operation_fails(string request, string reply)
    {
        foreach (int step in (int[])[1, 3, int.MaxValue])
        {
            using var rig = new ClassicReaderRig();
            ValueTask<OperationResult> task = Ask(rig, request);
            Assert.NotNull(rig.Feed(reply, step));
            rig.End();
            Assert.Equal(ResultStatus.Failed, ReaderRig.Now(task).Status);
        }
    }

    [Fact]
    public void What_a_classic_server_does_not_tell_is_told_as_unknown()
    {
        using var rig = new ClassicReaderRig();
        ValueTask<OperationResult> fetch = Ask(rig, "Fetch");
        ValueTask<OperationResult> look = Ask(rig, "Look");
        ValueTask<OperationResult> increment = Ask(rig, "Increment");
        Assert.Null(rig.Feed("VALUE key 7 3 9\r\nabc\r\nEND\r\nVALUE key 7 3 9\r\nabc\r\nEND\r\n41\r\n"));
        foreach (OperationResult result in (OperationResult[])[ReaderRig.Now(fetch), ReaderRig.Now(look)])
        {
            Assert.Equal((3, 7u, 9ul, -1), (result.Length, result.Flags, result.Cas, result.LastAccess));
            Assert.Equal(OperationResult.UnknownTimeToLive, result.TimeToLive);
        }

        OperationResult number = ReaderRig.Now(increment);
        Assert.Equal((41ul, 0ul, OperationResult.UnknownTimeToLive), (number.Number, number.Cas, number.TimeToLive));
    }

    [Theory]
    [InlineData("Fetch", "VALUE key 7 3 9\r\nabc\r\nEND\r\n")]
    [InlineData("Look", "VALUE key 7 3 9\r\nabc\r\nEND\r\n")]
    [InlineData("Touch", "TOUCHED\r\nVALUE key 7 3 9\r\nabc\r\nEND\r\n")]
    public void An_item_that_the_fence_does_not_admit_is_a_miss(string request, string reply)
    {
        using var rig = new ClassicReaderRig();
        rig.Owner.Fence = 9;
        ValueTask<OperationResult> task = Ask(rig, request);
        Assert.Null(rig.Feed(reply));
        Assert.Equal(ResultStatus.Miss, ReaderRig.Now(task).Status);
    }

    private static ValueTask<OperationResult> Ask(ClassicReaderRig rig, string request)
    {
        WireKey key = WireKey.Of("key"u8);
        return request switch
        {
            "Fetch" => rig.Ask(new FetchRequest(key, withValue: true, null)),
            "Look" => rig.Ask(new FetchRequest(key, withValue: false, null)),
            "FetchTouch" => rig.Ask(new FetchRequest(key, withValue: true, 60)),
            "Touch" => rig.Ask(new FetchRequest(key, withValue: false, 60)),
            "Compare" => rig.Ask(new PutRequest(key, StoreMode.Set, default, 60, 0) { Cas = 9 }),
            "AppendToState" => rig.Ask(new PutRequest(key, StoreMode.Append, default, 60, 0) { Cas = 9 }),
            "MarkStale" => rig.Ask(new MarkStaleRequest(key, 60, 0)),
            "Increment" => rig.Ask(new IncrementRequest(key, new(false, 1, null, 60), recordsUncertain: false)),
            _ => rig.Ask(new PutRequest(key, Enum.Parse<StoreMode>(request), default, 60, 0)),
        };
    }
}
