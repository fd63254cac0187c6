using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>
/// An error line is the outcome of the request that it answers, where that can be proven; nobody is ever given
/// another's.
/// </summary>
public sealed class ErrorLineTests
{
    /// <summary>
    /// What memcached 1.6.10 to 1.6.45 and its proxy say to the requests that this client makes;
    /// docs/adr/0017-error-lines.md has the table.
    /// </summary>
    public static TheoryData<string, string, string> Lines => new()
    {
        { "Store", "SERVER_ERROR object too large for cache", "TooLarge" },
        { "Probe", "SERVER_ERROR object too large for cache", "TooLarge" },
        { "Store", "SERVER_ERROR out of memory storing object", "ServerOutOfMemory" },
        { "Store", "SERVER_ERROR Out of memory during read", "ServerOutOfMemory" },
        { "Lease", "SERVER_ERROR Out of memory allocating new item", "ServerOutOfMemory" },
        { "Get", "SERVER_ERROR out of memory writing get response", "ServerOutOfMemory" },
        { "Touch", "SERVER_ERROR out of memory", "ServerOutOfMemory" },
        { "Delete", "SERVER_ERROR out of memory", "ServerError" },
        { "Get", "SERVER_ERROR refcount overflow during fetch", "ServerError" },
        { "Lease", "SERVER_ERROR refcount overflow during fetch", "ServerError" },
        { "Get", "SERVER_ERROR object too large for cache", "ServerError" },
        { "Get", "SERVER_ERROR output line too long", "ServerError" },
        { "Store", "SERVER_ERROR Unhandled storage type.", "ServerError" },
        { "Store", "SERVER_ERROR backend failure", "ServerError" },
        { "Get", "SERVER_ERROR lua failure", "ServerError" },
        { "Get", "SERVER_ERROR active request limit reached", "ServerError" },
        { "Store", "CLIENT_ERROR bad data chunk", "ServerError" },
        { "Store", "CLIENT_ERROR bad command line format", "ServerError" },
        { "Store", "CLIENT_ERROR invalid or duplicate flag", "ServerError" },
        { "Store", "CLIENT_ERROR options flags too long", "ServerError" },
        { "Store", "CLIENT_ERROR opaque token too long", "ServerError" },
        { "Store", "CLIENT_ERROR invalid mode for ms M token", "ServerError" },
        { "Store", "CLIENT_ERROR bad token in command line format", "ServerError" },
        { "Touch", "CLIENT_ERROR invalid exptime argument", "ServerError" },
        { "Get", "CLIENT_ERROR line too long", "ServerError" },
        { "Delete", "CLIENT_ERROR bad command line format.  ", "ServerError" },
        { "Inspect", "CLIENT_ERROR unauthenticated", "ServerError" },
        { "Get", "ERROR", "ServerError" },
        { "Inspect", "ERROR an unknown error happened", "ServerError" },
        { "Store", "ERROR Too many open connections", "ServerError" },
    };

    [Theory]
    [MemberData(nameof(Lines))]
    public void An_error_line_is_the_outcome_of_the_oldest_request_and_the_next_hears_its_own(string kind, string line, string outcome)
    {
        foreach (int step in (int[])[1, 5, int.MaxValue])
        {
            using var rig = new ReaderRig();
            ValueTask<OperationResult> refused = rig.Ask(Enum.Parse<OperationKind>(kind));
            ValueTask<OperationResult> next = rig.Ask();
            Assert.Null(rig.Feed(line + "\r\n", step));
            OperationResult result = ReaderRig.Now(refused);
            Assert.Equal(outcome, result.Failure?.Reason.ToString() ?? result.Status.ToString());
            Assert.True(result.Failure?.WasSent ?? true);
            Assert.Equal(outcome == "ServerError" ? line : null, result.Failure?.Detail);
            Assert.False(next.IsCompleted);
            Assert.Null(rig.Feed("VA 4 f0 t1 O2\r\nmine\r\n", step));
            Assert.Equal("mine"u8.ToArray(), ReaderRig.Now(next).Value);
            Assert.Equal(0, rig.Queue.Count);
            Assert.Equal(outcome == "TooLarge" ? (1L, 0L) : (0L, 1L), (rig.Counters.Oversized, rig.Counters.Errors));
        }
    }

    [Fact]
    public void Two_error_lines_of_one_request_are_nobody_elses_and_end_the_connection()
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult> malformed = rig.Ask(OperationKind.Store);
        ValueTask<OperationResult> second = rig.Ask();
        ValueTask<OperationResult> third = rig.Ask(OperationKind.Delete);
        Assert.Null(rig.Feed("CLIENT_ERROR bad command line format\r\nERROR\r\n"));
        Assert.Equal(MemcachedFailureReason.ServerError, ReaderRig.Now(malformed).Failure!.Reason);
        Assert.False(second.IsCompleted);

        // The answer of the second: by then one answer too many has come.
        Assert.NotNull(rig.Feed("VA 4 f0 t1 O2\r\nmine\r\n"));
        Assert.False(second.IsCompleted || third.IsCompleted);
        rig.End();
        Assert.All([second, third], static task => Assert.Equal(MemcachedFailureReason.Unavailable, ReaderRig.Now(task).Failure!.Reason));
    }

    [Theory]
    [InlineData("HD O4\r\n", true)]
    [InlineData("HD O3\r\n", false)]
    [InlineData("HD O5\r\n", false)]
    [InlineData("HD O2\r\n", false)]
    public void Errors_behind_an_error_wait_until_a_token_proves_where_they_belong(string proof, bool isProven)
    {
        using var rig = new ReaderRig();
        OperationKind[] kinds = [OperationKind.Get, OperationKind.Get, OperationKind.Inspect, OperationKind.Delete, OperationKind.Delete];
        ValueTask<OperationResult>[] tasks = [.. kinds.Select(kind => rig.Ask(kind))];
        Assert.Null(rig.Feed("SERVER_ERROR one\r\nSERVER_ERROR two\r\nEN\r\n"));
        Assert.Equal([true, false, false, false, false], tasks.Select(static task => task.IsCompleted));
        Assert.Equal(isProven, rig.Feed(proof) is null);
        if (!isProven)
        {
            Assert.Equal([true, false, false, false, false], tasks.Select(static task => task.IsCompleted));
            Assert.Equal("SERVER_ERROR one", ReaderRig.Now(tasks[0]).Failure!.Detail);
            return;
        }

        Assert.Equal("SERVER_ERROR one", ReaderRig.Now(tasks[0]).Failure!.Detail);
        Assert.Equal("SERVER_ERROR two", ReaderRig.Now(tasks[1]).Failure!.Detail);
        Assert.Equal(ResultStatus.Miss, ReaderRig.Now(tasks[2]).Status);
        Assert.Equal(ResultStatus.Success, ReaderRig.Now(tasks[3]).Status);
        Assert.Null(rig.Feed("NF O5\r\n"));
        Assert.Equal(ResultStatus.Miss, ReaderRig.Now(tasks[4]).Status);
    }

    [Fact]
    public void A_fence_proves_what_nothing_else_follows()
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult> first = rig.Ask();
        ValueTask<OperationResult> second = rig.Ask();
        ValueTask<OperationResult> fence = rig.Ask(OperationKind.NoOp);
        Assert.Null(rig.Feed("SERVER_ERROR one\r\nSERVER_ERROR two\r\n"));
        Assert.True(first.IsCompleted && !second.IsCompleted);
        Assert.Null(rig.Feed("MN\r\n"));
        Assert.Equal("SERVER_ERROR two", ReaderRig.Now(second).Failure!.Detail);
        Assert.Equal(ResultStatus.Success, ReaderRig.Now(fence).Status);
        _ = ReaderRig.Now(first);
    }

    [Fact]
    public void A_server_without_memory_answers_many_stores_in_a_row_at_once()
    {
        // These lines are of requests whose data the server has read over, and come once each: nothing waits for them.
        using var rig = new ReaderRig();
        ValueTask<OperationResult>[] tasks = [.. Enumerable.Range(0, 40).Select(_ => rig.Ask(OperationKind.Store))];
        foreach (ValueTask<OperationResult> task in tasks)
        {
            Assert.Null(rig.Feed("SERVER_ERROR Out of memory during read\r\n"));
            Assert.Equal(MemcachedFailureReason.ServerOutOfMemory, ReaderRig.Now(task).Failure!.Reason);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void An_error_line_that_nobody_asked_for_ends_the_connection(int answered)
    {
        using var rig = new ReaderRig();
        for (int i = 0; i < answered; i++)
        {
            _ = rig.AskOperation();
            Assert.Null(rig.Feed("SERVER_ERROR no\r\n"));
        }

        Assert.Contains("nobody asked", rig.Feed("SERVER_ERROR once more\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Operations_are_found_behind_others_across_segments_of_the_queue()
    {
        using var rig = new ReaderRig();
        for (int before = 0; before < 300; before += 100)
        {
            PendingOperation[] operations = [.. Enumerable.Range(0, 600).Select(_ => rig.AskOperation())];
            for (int i = 0; i < operations.Length; i++)
            {
                Assert.Same(operations[i], rig.Queue.Peek(i));
            }

            Assert.Null(rig.Queue.Peek(operations.Length));
            foreach (PendingOperation operation in operations)
            {
                Assert.Same(operation, rig.Queue.Dequeue());
            }

            _ = Enumerable.Range(0, 100).Select(_ => rig.AskOperation()).Select(_ => rig.Queue.Dequeue()).Count();
        }
    }

    [Fact]
    public async Task A_connection_fences_errors_that_nothing_proves()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> first = rig.Execute(OperationKind.Get);
        Task<OperationResult> second = rig.Execute(OperationKind.Get);
        await Eventually.True(() => rig.Transport.Sent.Contains("O2\r\n", StringComparison.Ordinal), "both are sent");
        rig.Transport.Reply("SERVER_ERROR one\r\n");
        Assert.Equal("SERVER_ERROR one", (await first.WaitAsync(Eventually.Limit)).Failure!.Detail);
        Assert.DoesNotContain("mn", rig.Transport.Sent, StringComparison.Ordinal);
        rig.Transport.Reply("SERVER_ERROR two\r\n");
        await Eventually.True(() => rig.Transport.Sent.EndsWith("mn\r\n", StringComparison.Ordinal), "a fence is sent");
        Assert.False(second.IsCompleted);
        rig.Transport.Reply("MN\r\n");
        Assert.Equal("SERVER_ERROR two", (await second.WaitAsync(Eventually.Limit)).Failure!.Detail);
        Assert.True(rig.Connection.IsUsable);
    }
}
