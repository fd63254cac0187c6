using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

public sealed class ConnectionTests
{
    [Fact]
    public async Task Requests_are_sent_without_waiting_for_replies()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> get = rig.Execute(OperationKind.Get);
        Task<OperationResult> delete = rig.Execute(OperationKind.Delete);
        await Eventually.True(() => rig.Transport.Sent == "mg key v f t O1\r\nmd key O2\r\n", "both are sent");
        Assert.Equal(2, rig.Connection.PendingCount);
        rig.Transport.Reply("VA 2 f0 t1 O1\r\nhi\r\nNF O2\r\n");
        Assert.Equal("hi"u8.ToArray(), (await get.WaitAsync(Eventually.Limit)).Value);
        Assert.Equal(ResultStatus.Miss, (await delete.WaitAsync(Eventually.Limit)).Status);
    }

    [Fact]
    public async Task Requests_made_while_it_opens_are_sent_once_it_is_open()
    {
        var gate = new TaskCompletionSource<FakeTransport>();
        using var rig = new ConnectionRig(new FakeFactory((_, token) => gate.Task.WaitAsync(token)));
        Task<OperationResult> get = rig.Execute(OperationKind.Get);
        gate.SetResult(new FakeTransport { Answer = static _ => "EN O1\r\n", Chunk = 1 });
        Assert.Equal(ResultStatus.Miss, (await get.WaitAsync(Eventually.Limit)).Status);
        Assert.Equal("1.6.18", rig.Connection.Handshake.ServerVersion);
    }

    [Fact]
    public async Task What_gathers_during_a_send_goes_out_together()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        var gate = new TaskCompletionSource();
        rig.Transport.Sending = _ => gate.Task;
        for (int i = 0; i < 100; i++)
        {
            _ = rig.Execute(OperationKind.Delete);
        }

        Assert.Equal(1, rig.Transport.Sends);
        gate.SetResult();
        await Eventually.True(() => rig.Transport.Sent.Contains("O100\r\n", StringComparison.Ordinal), "all are sent");
        Assert.Equal(2, rig.Transport.Sends);
        Assert.Equal(1, rig.Transport.MostSenders);
    }

    [Fact]
    public async Task What_was_sent_is_lost_and_what_was_not_is_unavailable()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        var gate = new TaskCompletionSource();
        rig.Transport.Sending = _ => gate.Task;
        Task<OperationResult> sent = rig.Execute(OperationKind.Delete);
        Task<OperationResult> waiting = rig.Execute(OperationKind.Delete);
        var cause = new IOException("cable cut");
        gate.SetException(cause);
        OperationFailure lost = (await sent.WaitAsync(Eventually.Limit)).Failure!;
        OperationFailure unsent = (await waiting.WaitAsync(Eventually.Limit)).Failure!;
        Assert.Equal((MemcachedFailureReason.ConnectionLost, true, "mc1:11211"), (lost.Reason, lost.WasSent, lost.Server));
        Assert.Equal((MemcachedFailureReason.Unavailable, false), (unsent.Reason, unsent.WasSent));
        Assert.Same(cause, lost.Cause);
        await rig.Connection.Finished.WaitAsync(Eventually.Limit);
        Assert.Equal(ConnectionEndReason.SocketError, Assert.Single(rig.Ends).Reason);
        Assert.False(rig.Connection.TryExecute(new KeyRequest(OperationKind.Get, WireKey.Of("key"u8)), ValueTarget.OwnArray, CancellationToken.None, out _));
        Assert.True(rig.Transport.IsDisposed);
    }

    [Theory]
    [InlineData("STORED\r\n", "ProtocolViolation")]
    [InlineData("EN O2\r\n", "ProtocolViolation")]
    [InlineData(null, "ClosedByServer")]
    public async Task An_end_fails_all_that_is_pending(string? reply, string reason)
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult>[] tasks = [.. Enumerable.Range(0, 10).Select(_ => rig.Execute(OperationKind.Get))];
        await Eventually.True(() => rig.Transport.Sent.Contains("O10\r\n", StringComparison.Ordinal), "all are sent");
        if (reply is null)
        {
            rig.Transport.Close();
        }
        else
        {
            rig.Transport.Reply(reply);
        }

        foreach (Task<OperationResult> task in tasks)
        {
            Assert.Equal(MemcachedFailureReason.ConnectionLost, (await task.WaitAsync(Eventually.Limit)).Failure!.Reason);
        }

        await rig.Connection.Finished.WaitAsync(Eventually.Limit);
        Assert.Equal(Enum.Parse<ConnectionEndReason>(reason), Assert.Single(rig.Ends).Reason);
        Assert.Equal(10, rig.Counters.Errors);
    }

    [Theory]
    [InlineData("VERSION 1.4.14\r\n", "1.4.14")]
    [InlineData("HTTP/1.1 400\r\n", "HTTP")]
    public async Task An_unusable_peer_ends_it_with_a_reason(string handshake, string expected)
    {
        var gate = new TaskCompletionSource<FakeTransport>();
        using var rig = new ConnectionRig(new FakeFactory((_, _) => gate.Task));
        Task<OperationResult> early = rig.Execute(OperationKind.Get);
        gate.SetResult(new FakeTransport { Handshake = handshake });
        ConnectionEnd? end = await rig.Connection.Opened.WaitAsync(Eventually.Limit);
        Assert.Equal(ConnectionEndReason.ConnectFailed, end!.Reason);
        Assert.Contains(expected, end.Message, StringComparison.Ordinal);
        Assert.Equal(MemcachedFailureReason.Unavailable, (await early.WaitAsync(Eventually.Limit)).Failure!.Reason);
    }

    [Fact]
    public async Task Closed_during_the_handshake_is_a_failed_connect()
    {
        using var rig = new ConnectionRig(new FakeFactory(_ =>
        {
            var transport = new FakeTransport { Handshake = "VERSION 1.6.18\r\nSTAT" };
            transport.Close();
            return transport;
        }));
        ConnectionEnd? end = await rig.Connection.Opened.WaitAsync(Eventually.Limit);
        Assert.Equal(ConnectionEndReason.ConnectFailed, end!.Reason);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connect_that_takes_too_long_is_given_up(bool connects)
    {
        using var rig = new ConnectionRig(connects
            ? new FakeFactory(_ => new FakeTransport { Handshake = null })
            : new FakeFactory(static async (_, token) =>
            {
                await Task.Delay(Timeout.Infinite, token);
                return null!;
            }));
        Task<OperationResult> waiting = rig.Execute(OperationKind.Get);
        Assert.Equal(1, rig.Pass(TimeSpan.FromSeconds(1.5)));
        Assert.Equal(MemcachedFailureReason.TimedOut, (await waiting.WaitAsync(Eventually.Limit)).Failure!.Reason);
        Assert.True(rig.Connection.IsUsable);
        rig.Pass(TimeSpan.FromSeconds(1));
        ConnectionEnd? end = await rig.Connection.Opened.WaitAsync(Eventually.Limit);
        Assert.Equal(ConnectionEndReason.ConnectFailed, end!.Reason);
        Assert.Contains("2 s", end.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Overload_is_said_at_once_and_counted()
    {
        using ConnectionRig rig = await new ConnectionRig(maximumPending: 2).Opened();
        _ = rig.Execute(OperationKind.Get);
        _ = rig.Execute(OperationKind.Get);
        Task<OperationResult> third = rig.Execute(OperationKind.Get);
        Assert.True(third.IsCompleted);
        Assert.Equal(MemcachedFailureReason.Overloaded, (await third).Failure!.Reason);
        Assert.Equal(1, rig.Counters.Errors);
    }

    [Fact]
    public async Task Draining_waits_for_what_is_under_way()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        Task<OperationResult> get = rig.Execute(OperationKind.Get);
        Task draining = rig.Connection.DrainAsync();
        await Eventually.True(() => rig.Transport.Sent.EndsWith("mn\r\n", StringComparison.Ordinal), "the fence is sent");
        Assert.False(draining.IsCompleted);
        rig.Transport.Reply("EN O1\r\nMN\r\n");
        await draining.WaitAsync(Eventually.Limit);
        Assert.Equal(ResultStatus.Miss, (await get.WaitAsync(Eventually.Limit)).Status);
        Assert.Equal(ConnectionEndReason.Disposed, Assert.Single(rig.Ends).Reason);
    }

    [Fact]
    public async Task A_cancelled_operation_that_the_end_finds_is_no_error()
    {
        using ConnectionRig rig = await new ConnectionRig().Opened();
        using var source = new CancellationTokenSource();
        Task<OperationResult> get = rig.Execute(OperationKind.Get, source.Token);
        await source.CancelAsync();
        Assert.Equal(ResultStatus.Canceled, (await get.WaitAsync(Eventually.Limit)).Status);
        rig.Transport.Close();
        await rig.Connection.Finished.WaitAsync(Eventually.Limit);
        Assert.Equal(0, rig.Counters.Errors);
    }

    [Fact]
    public async Task The_read_loop_does_not_keep_its_first_callers_context()
    {
        var local = new AsyncLocal<string?> { Value = "a request" };
        var opened = new FakeTransport();
        string? seen = null;
        var gate = new TaskCompletionSource<FakeTransport>(TaskCreationOptions.RunContinuationsAsynchronously);
        opened.Sending = null;
        using var rig = new ConnectionRig(new FakeFactory(async (_, _) =>
        {
            await gate.Task.ConfigureAwait(false);
            seen = local.Value;
            return opened;
        }));
        local.Value = null;
        gate.SetResult(opened);
        await rig.Opened();
        Assert.Null(seen);
    }
}
