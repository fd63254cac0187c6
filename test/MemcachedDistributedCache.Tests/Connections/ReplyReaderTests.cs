using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

public sealed class ReplyReaderTests
{
    [Theory]
    [InlineData("Get", "EN O1\r\n", "Miss")]
    [InlineData("Inspect", "HD f0 t5 O1\r\n", "Success")]
    [InlineData("Inspect", "EN O1\r\n", "Miss")]
    [InlineData("Touch", "HD f0 t5 O1\r\n", "Success")]
    [InlineData("Touch", "EN O1\r\n", "Miss")]
    [InlineData("Store", "HD O1\r\n", "Success")]
    [InlineData("Store", "NS O1\r\n", "Conflict")]
    [InlineData("Store", "EX O1\r\n", "Conflict")]
    [InlineData("Store", "NF O1\r\n", "Conflict")]
    [InlineData("Store", "SERVER_ERROR object too large for cache\r\n", "TooLarge")]
    [InlineData("Store", "SERVER_ERROR out of memory storing object\r\n", "Failed")]
    [InlineData("Delete", "HD O1\r\n", "Success")]
    [InlineData("Delete", "NF O1\r\n", "Miss")]
    [InlineData("Delete", "EX O1\r\n", "Conflict")]
    [InlineData("Fetch", "VA 3 f9 t10 c5 h1 l77 O1\r\nabc\r\n", "Success")]
    [InlineData("Fetch", "VA 0 f0 t-1 c5 h0 l0 O1 X W\r\n\r\n", "Success")]
    [InlineData("Fetch", "HD s3 f9 t10 c5 h1 l77 O1\r\n", "Success")]
    [InlineData("Fetch", "EN O1\r\n", "Miss")]
    [InlineData("Put", "HD c7 O1\r\n", "Success")]
    [InlineData("Put", "NS c0 O1\r\n", "Conflict")]
    [InlineData("Put", "EX c0 O1\r\n", "Conflict")]
    [InlineData("Put", "NF c0 O1\r\n", "Miss")]
    [InlineData("Put", "SERVER_ERROR object too large for cache\r\n", "TooLarge")]
    [InlineData("Put", "SERVER_ERROR out of memory storing object\r\n", "Failed")]
    [InlineData("Append", "HD c7 O1\r\n", "Success")]
    [InlineData("Append", "NS c0 O1\r\n", "Conflict")]
    [InlineData("Append", "EX c0 O1\r\n", "Conflict")]
    [InlineData("Append", "NF c0 O1\r\n", "Miss")]
    [InlineData("Append", "SERVER_ERROR object too large for cache\r\n", "TooLarge")]
    [InlineData("Increment", "VA 1 t60 c7 O1\r\n5\r\n", "Success")]
    [InlineData("Increment", "VA 20 t-1 c7 O1\r\n18446744073709551615\r\n", "Success")]
    [InlineData("Increment", "NF O1\r\n", "Miss")]
    [InlineData("Increment", "NS O1\r\n", "Conflict")]
    [InlineData("Increment", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n", "Rejected")]
    [InlineData("Increment", "SERVER_ERROR Out of memory allocating new item\r\n", "Failed")]
    [InlineData("NoOp", "MN\r\n", "Success")]
    [InlineData("Lease", "VA 0 f0 t10 c1 O1 W\r\n\r\n", "Success")]
    [InlineData("Lease", "VA 0 f0 t10 c1 O1 Z\r\n\r\n", "Success")]
    [InlineData("Lease", "VA 3 f9 t10 c1 O1\r\nabc\r\n", "Success")]
    [InlineData("Lease", "HD f0 t10 c1 O1 W\r\n", "Success")]
    [InlineData("Lease", "EN O1\r\n", "Miss")]
    public void Every_kind_takes_its_replies(string kind, string reply, string status)
    {
        for (int step = 1; step <= reply.Length; step++)
        {
            using var rig = new ReaderRig();
            ValueTask<OperationResult> task = rig.Ask(Enum.Parse<OperationKind>(kind));
            Assert.Null(rig.Feed(reply, step));
            Assert.Equal(Enum.Parse<ResultStatus>(status), ReaderRig.Now(task).Status);
            Assert.Equal(0, rig.Queue.Count);
        }
    }

    [Theory]
    [InlineData("VA 0 f0 t10 c7 O1 W\r\n\r\n", "Won", false, 7ul)]
    [InlineData("VA 0 f0 t10 c7 O1 Z\r\n\r\n", "Taken", false, 7ul)]
    [InlineData("HD f0 t10 c8 O1 W\r\n", "Won", false, 8ul)]
    [InlineData("HD f0 t10 c8 O1\r\n", "None", false, 8ul)]
    [InlineData("VA 3 f9 t10 c7 O1\r\nabc\r\n", "None", false, 7ul)]
    [InlineData("VA 3 f9 t10 c7 O1 X W\r\nabc\r\n", "Won", true, 7ul)]
    [InlineData("VA 3 f9 t10 c5 O1\r\nabc\r\n", "None", true, 5ul)]
    [InlineData("HD f9 t10 c5 O1\r\n", "None", true, 5ul)]
    public void A_lease_tells_who_makes_the_value_and_what_may_be_read(string reply, string lease, bool isUnreadable, ulong cas)
    {
        using var rig = new ReaderRig();
        rig.Owner.Fence = 5;
        ValueTask<OperationResult> task = rig.Ask(OperationKind.Lease);
        Assert.Null(rig.Feed(reply));
        OperationResult result = ReaderRig.Now(task);
        Assert.Equal((Enum.Parse<LeaseState>(lease), isUnreadable, cas), (result.Lease, result.IsUnreadable, result.Cas));
    }

    [Theory]
    [InlineData("Get", "EN\r\n", "Miss")]
    [InlineData("Inspect", "EN\r\n", "Miss")]
    [InlineData("Touch", "EN\r\n", "Miss")]
    public void A_miss_may_come_without_its_token(string kind, string reply, string status)
    {
        // Servers up to 1.6.17 never put the token on a miss ("reflect O/k on EN", 2022-09-27), and extstore does not to this day
        // where an item cannot be read back (storage.c). The next reply's token is checked again.
        using var rig = new ReaderRig();
        ValueTask<OperationResult> task = rig.Ask(Enum.Parse<OperationKind>(kind));
        Assert.Null(rig.Feed(reply));
        Assert.Equal(Enum.Parse<ResultStatus>(status), ReaderRig.Now(task).Status);
    }

    [Theory]
    [InlineData("Get", "HD O1\r\n")]
    [InlineData("Get", "NF O1\r\n")]
    [InlineData("Get", "NS O1\r\n")]
    [InlineData("Get", "EX O1\r\n")]
    [InlineData("Get", "MN\r\n")]
    [InlineData("Get", "VA 1 f0 t1 O2\r\nx\r\n")]
    [InlineData("Get", "VA 1 f0 t1\r\nx\r\n")]
    [InlineData("Get", "EN O2\r\n")]
    [InlineData("Get", "EN O4294967295\r\n")]
    [InlineData("Inspect", "VA 1 f0 t1 O1\r\nx\r\n")]
    [InlineData("Inspect", "NF O1\r\n")]
    [InlineData("Inspect", "HD f0 t1\r\n")]
    [InlineData("Touch", "VA 1 f0 t1 O1\r\nx\r\n")]
    [InlineData("Touch", "NF O1\r\n")]
    [InlineData("Store", "VA 1 f0 t1 O1\r\nx\r\n")]
    [InlineData("Store", "EN O1\r\n")]
    [InlineData("Store", "EN\r\n")]
    [InlineData("Store", "MN\r\n")]
    [InlineData("Store", "HD\r\n")]
    [InlineData("Store", "HD O0\r\n")]
    [InlineData("Store", "NS\r\n")]
    [InlineData("Delete", "EN O1\r\n")]
    [InlineData("Delete", "NS O1\r\n")]
    [InlineData("Delete", "HD\r\n")]
    [InlineData("Get", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n")]
    [InlineData("Store", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n")]
    [InlineData("Put", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n")]
    [InlineData("Fetch", "NF O1\r\n")]
    [InlineData("Fetch", "HD s3 f9 t10 c5 O2\r\n")]
    [InlineData("Fetch", "VA 3 s3 f9 t10 O1\r\nabc\r\n")]
    [InlineData("Put", "EN O1\r\n")]
    [InlineData("Put", "VA 1 O1\r\n5\r\n")]
    [InlineData("Put", "HD c7\r\n")]
    [InlineData("Append", "EN\r\n")]
    [InlineData("Append", "VA 1 O1\r\n5\r\n")]
    [InlineData("Increment", "HD O1\r\n")]
    [InlineData("Increment", "EN\r\n")]
    [InlineData("Increment", "EX O1\r\n")]
    [InlineData("Increment", "VA 0 O1\r\n\r\n")]
    [InlineData("Increment", "VA 21 O1\r\n000000000000000000001\r\n")]
    [InlineData("Increment", "VA 20 O1\r\n18446744073709551616\r\n")]
    [InlineData("Increment", "VA 2 O1\r\n5 \r\n")]
    [InlineData("Increment", "VA 2 O1\r\n-5\r\n")]
    [InlineData("Increment", "VA 1 O2\r\n5\r\n")]
    [InlineData("NoOp", "HD O1\r\n")]
    [InlineData("NoOp", "EN O1\r\n")]
    [InlineData("NoOp", "ERROR\r\n")]
    [InlineData("NoOp", "SERVER_ERROR out of memory\r\n")]
    [InlineData("Get", "ERRORS\r\n")]
    [InlineData("Get", "error\r\n")]
    [InlineData("Get", "-ERR unknown command\r\n")]
    [InlineData("Get", "\r\n")]
    [InlineData("Get", "EN O1\n")]
    [InlineData("Get", "\n")]
    [InlineData("Get", "VA -1 f0 t1 O1\r\n")]
    [InlineData("Get", "VA 4294967296 f0 t1 O1\r\n")]
    [InlineData("Get", "VA 99999999999999999999 f0 t1 O1\r\n")]
    [InlineData("Get", "VA 1 f0 t-2 O1\r\nx\r\n")]
    public void A_surprise_is_a_violation_and_the_operation_fails(string kind, string reply)
    {
        foreach (int step in (int[])[1, 3, int.MaxValue])
        {
            using var rig = new ReaderRig();
            ValueTask<OperationResult> task = rig.Ask(Enum.Parse<OperationKind>(kind));
            Assert.NotNull(rig.Feed(reply, step));
            Assert.False(task.IsCompleted);
            rig.End();
            Assert.Equal(ResultStatus.Failed, ReaderRig.Now(task).Status);
        }
    }

    [Theory]
    [InlineData("HD O1\r\n")]
    [InlineData("EN\r\n")]
    [InlineData("MN\r\n")]
    [InlineData("VA 1 f0 t1 O1\r\nx\r\n")]
    public void A_reply_that_nobody_asked_for_is_a_violation(string reply)
    {
        using var rig = new ReaderRig();
        Assert.Contains("nobody asked", rig.Feed(reply), StringComparison.Ordinal);
    }

    [Fact]
    public void An_overlong_line_is_a_violation()
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult> task = rig.Ask();
        Assert.NotNull(rig.Feed("EN " + new string('x', 5000), 100));
        rig.End();
        Assert.Equal(ResultStatus.Failed, ReaderRig.Now(task).Status);
    }

    [Theory]
    [InlineData(0, 0u, "")]
    [InlineData(1, 0u, "x")]
    [InlineData(5, 0u, "ab\r\nc")]
    [InlineData(8, 7u, "\0\0\0\0\0\0\u0001\u0002")]
    [InlineData(13, 7u, "\0\0\0\0\0\0\u0001\u0002hello")]
    public void A_value_is_the_same_at_every_split(int length, uint flags, string data)
    {
        byte[] stream = Encoding.Latin1.GetBytes($"VA {length} f{flags} t77 O1\r\n{data}\r\nEN O2\r\n");
        foreach (bool pooled in (bool[])[false, true])
        {
            for (int split = 0; split <= stream.Length; split++)
            {
                using var rig = new ReaderRig();
                ValueTask<OperationResult> first = rig.Ask(target: pooled ? ValueTarget.PooledArray : ValueTarget.OwnArray);
                ValueTask<OperationResult> second = rig.Ask();
                Assert.Null(rig.Feed(stream.AsSpan(0, split)));
                Assert.Null(rig.Feed(stream.AsSpan(split)));
                OperationResult result = ReaderRig.Now(first);
                Assert.Equal(ResultStatus.Success, result.Status);
                Assert.Equal(flags, result.Flags);
                Assert.Equal(77, result.TimeToLive);
                Assert.Equal(flags == 0 ? 0 : 258, result.Prefix);
                string value = flags == 0 ? data : data[8..];
                Assert.Equal(value.Length, result.Length);
                Assert.Equal(value, Encoding.Latin1.GetString(result.Value!, 0, result.Length));
                Assert.True(pooled || result.Value!.Length == result.Length);
                Assert.Equal(ResultStatus.Miss, ReaderRig.Now(second).Status);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void A_value_shorter_than_its_prefix_is_marked(int length)
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult> task = rig.Ask(target: ValueTarget.PooledArray);
        Assert.Null(rig.Feed($"VA {length} f7 t1 O1\r\n{new string('x', length)}\r\n", 1));
        OperationResult result = ReaderRig.Now(task);
        Assert.Equal(-1, result.Length);
        Assert.Equal(0, result.Prefix);
    }

    [Theory]
    [InlineData("VA 3 f0 t1 O1\r\nabcd\r\n")]
    [InlineData("VA 3 f0 t1 O1\r\nab\r\nEN O2\r\n")]
    [InlineData("VA 0 f0 t1 O1\r\nEN O2\r\n")]
    [InlineData("VA 3 f0 t1 O1\r\nabc\n\r")]
    [InlineData("VA 9 f7 t1 O1\r\n12345678\r\n\r\n")]
    public void A_value_of_another_length_is_a_violation(string stream)
    {
        foreach (int step in (int[])[1, 2, int.MaxValue])
        {
            using var rig = new ReaderRig();
            ValueTask<OperationResult> first = rig.Ask();
            ValueTask<OperationResult> second = rig.Ask();
            Assert.NotNull(rig.Feed(stream, step));
            rig.End();
            Assert.NotEqual(ResultStatus.Success, ReaderRig.Now(second).Status);
            Assert.Equal(ResultStatus.Failed, ReaderRig.Now(first).Status);
        }
    }

    [Fact]
    public void A_value_over_the_servers_limit_is_a_violation_before_any_memory_is_taken()
    {
        using var rig = new ReaderRig();
        rig.Reader.MaximumValueLength = 1000;
        ValueTask<OperationResult> task = rig.Ask();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.NotNull(rig.Feed("VA 2000000000 f0 t1 O1\r\n"));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000);
        rig.End();
        Assert.Equal(ResultStatus.Failed, ReaderRig.Now(task).Status);
    }

    [Fact]
    public void A_violation_does_not_quote_what_may_be_a_value()
    {
        using var rig = new ReaderRig();
        _ = rig.AskOperation();
        _ = rig.AskOperation();
        string? violation = rig.Feed("VA 0 f0 t1 O1\r\n\r\ntop-secret-value\r\n");
        Assert.DoesNotContain("secret", violation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("VA 13 f7 t10 c9 h1 l77 O1\r\n\0\0\0\0\0\0\u0001\u0002hello\r\n", 13, true, 77, false)]
    [InlineData("VA 3 f7 t10 c9 h0 l0 O1 X W\r\nabc\r\n", 3, false, 0, true)]
    [InlineData("HD s13 f7 t10 c9 h1 l4294967295 O1\r\n", 13, true, int.MaxValue, false)]
    [InlineData("HD s13 f7 t10 c9 O1 Z X\r\n", 13, false, -1, true)]
    public void An_item_is_told_as_it_is(string reply, int length, bool wasHit, int lastAccess, bool isStale)
    {
        using var rig = new ReaderRig();
        rig.Owner.Fence = 8;
        ValueTask<OperationResult> task = rig.Ask(OperationKind.Fetch);
        Assert.Null(rig.Feed(reply, 1));
        OperationResult result = ReaderRig.Now(task);
        Assert.Equal((ResultStatus.Success, length, 7u, 10, 9ul), (result.Status, result.Length, result.Flags, result.TimeToLive, result.Cas));
        Assert.Equal((wasHit, lastAccess, isStale), (result.WasHitBefore, result.LastAccess, result.IsStale));
        Assert.Equal(reply.StartsWith("VA", StringComparison.Ordinal) ? length : null, result.Value?.Length);
    }

    [Theory]
    [InlineData("VA 3 f7 t10 c9 h1 l77 O1\r\nabc\r\n")]
    [InlineData("HD s3 f7 t10 c9 h1 l77 O1\r\n")]
    public void An_item_that_the_fence_does_not_admit_is_a_miss(string reply)
    {
        using var rig = new ReaderRig();
        rig.Owner.Fence = 9;
        ValueTask<OperationResult> task = rig.Ask(OperationKind.Fetch);
        Assert.Null(rig.Feed(reply));
        Assert.Equal(ResultStatus.Miss, ReaderRig.Now(task).Status);
    }

    [Fact]
    public void An_item_larger_than_what_is_kept_is_told_as_too_large_and_not_as_a_miss()
    {
        using var rig = new ReaderRig(largestKept: 2);
        ValueTask<OperationResult> task = rig.Ask(OperationKind.Fetch);
        Assert.Null(rig.Feed("VA 3 f7 t10 c9 h1 l77 O1\r\nabc\r\n"));
        OperationResult result = ReaderRig.Now(task);
        Assert.Equal((ResultStatus.TooLarge, 2), (result.Status, result.Length));
    }

    [Fact]
    public void A_number_costs_no_array_and_comes_with_its_state()
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult> task = rig.Ask(OperationKind.Increment);
        Assert.Null(rig.Feed("VA 20 t61 c8 O1\r\n18446744073709551615\r\n", 1));
        OperationResult result = ReaderRig.Now(task);
        Assert.Equal((ulong.MaxValue, 61, 8ul), (result.Number, result.TimeToLive, result.Cas));
        Assert.Null(result.Value);
    }

    [Fact]
    public void A_refused_increment_breaks_nothing_and_quotes_the_server()
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult> refused = rig.Ask(OperationKind.Increment);
        ValueTask<OperationResult> next = rig.Ask(OperationKind.Inspect);
        ValueTask<OperationResult> refusedToo = rig.Ask(OperationKind.Increment);
        const string Words = "CLIENT_ERROR cannot increment or decrement non-numeric value";
        Assert.Null(rig.Feed($"{Words}\r\nEN\r\n{Words}\r\n", 3));
        Assert.Equal((ResultStatus.Rejected, Words), (ReaderRig.Now(refused).Status, ReaderRig.Now(refusedToo).Failure!.Detail));
        Assert.Equal(ResultStatus.Miss, ReaderRig.Now(next).Status);
        Assert.Equal(0, rig.Counters.Errors);
    }

    [Fact]
    public void A_result_has_not_grown_by_more_than_eight_bytes_for_what_the_typed_client_is_told()
        => Assert.Equal(72, System.Runtime.CompilerServices.Unsafe.SizeOf<OperationResult>());

    [Fact]
    public void Counts_hits_and_misses()
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult>[] tasks = [rig.Ask(), rig.Ask(), rig.Ask(), rig.Ask(OperationKind.Touch)];
        Assert.Null(rig.Feed("EN O1\r\nVA 0 f0 t1 O2\r\n\r\nEN O3\r\nEN O4\r\n"));
        Assert.Equal((1L, 2L), (rig.Counters.Hits, rig.Counters.Misses));
        Assert.All(tasks, static task => Assert.True(task.IsCompleted));
    }

    [Fact]
    public void Out_of_memory_is_counted_and_names_the_server()
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult> task = rig.Ask(OperationKind.Store);
        Assert.Null(rig.Feed("SERVER_ERROR out of memory storing object\r\n"));
        OperationFailure failure = ReaderRig.Now(task).Failure!;
        Assert.Equal((MemcachedFailureReason.ServerOutOfMemory, "mc1:11211", true), (failure.Reason, failure.Server, failure.WasSent));
        Assert.Equal(1, rig.Counters.Errors);
    }
}
