using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

public sealed class SyncConnectionTests
{
    [Fact]
    public async Task A_synchronous_caller_has_its_result_when_the_call_returns()
    {
        uint opaque = 0;
        using var rig = new ConnectionRig(
            new FakeFactory(_ => new FakeTransport { Answer = _ => $"VA 2 f0 t1 O{++opaque}\r\nhi\r\n" }),
            CallMode.Sync,
            TimeSpan.FromSeconds(20));
        await rig.Opened();
        for (int i = 0; i < 100; i++)
        {
            Task<OperationResult> task = rig.Execute(OperationKind.Get);
            Assert.True(task.IsCompleted);
            Assert.Equal("hi"u8.ToArray(), (await task).Value);
        }
    }

    [Fact]
    public async Task Many_threads_share_it_and_each_gets_its_own()
    {
        var transport = new FakeTransport { Answer = static sent => string.Concat(sent.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split(' ') is var parts ? $"VA {parts[1].Length} f0 t1 {parts[^1]}\r\n{parts[1]}\r\n" : "")) };
        using var rig = new ConnectionRig(new FakeFactory(_ => transport), CallMode.Sync, TimeSpan.FromSeconds(20));
        await rig.Opened();
        int wrong = 0;
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(index => new Thread(() =>
        {
            for (int i = 0; i < 500; i++)
            {
                byte[] key = System.Text.Encoding.ASCII.GetBytes($"key-{index}-{i}");
                bool taken = rig.Connection.TryExecute(new KeyRequest(OperationKind.Get, WireKey.Of(key)), ValueTarget.OwnArray, CancellationToken.None, out ValueTask<OperationResult> result);
                if (!taken || !key.AsSpan().SequenceEqual(result.Result.Value))
                {
                    Interlocked.Increment(ref wrong);
                }
            }
        }))];
        Array.ForEach(threads, static thread => thread.Start());
        Array.ForEach(threads, static thread => thread.Join());
        Assert.Equal(0, wrong);
        Assert.Equal(1, transport.MostSenders);
    }

    [Fact]
    public async Task A_caller_does_not_send_for_others_for_ever()
    {
        const int Others = 100;
        var sends = new System.Collections.Concurrent.ConcurrentQueue<int>();
        var transport = new FakeTransport();
        using var rig = new ConnectionRig(new FakeFactory(_ => transport), CallMode.Sync, TimeSpan.FromSeconds(60));
        await rig.Opened();
        var callers = new System.Collections.Concurrent.ConcurrentBag<Task<OperationResult>>();
        transport.Sending = _ =>
        {
            // While each request is sent another comes, so that there is always something left to send.
            sends.Enqueue(Environment.CurrentManagedThreadId);
            if (callers.Count < Others)
            {
                int before = rig.Connection.PendingCount;
                callers.Add(Task.Factory.StartNew(() => rig.Execute(OperationKind.Get).Result, TaskCreationOptions.LongRunning));
                Assert.True(SpinWait.SpinUntil(() => rig.Connection.PendingCount > before, Eventually.Limit), "the next request does not come");
            }

            return Task.CompletedTask;
        };

        int first = 0;
        Task<OperationResult> caller = Task.Factory.StartNew(
            () =>
            {
                first = Environment.CurrentManagedThreadId;
                return rig.Execute(OperationKind.Get).Result;
            },
            TaskCreationOptions.LongRunning);
        await Eventually.True(() => transport.Sent.Count(static c => c == '\n') > Others, "all are sent");
        Assert.InRange(sends.Count(thread => thread == first), 1, Others - 1);
        Assert.Equal(1, transport.MostSenders);
        transport.Reply(
            string.Concat(
                transport
                    .Sent.Split("\r\n", StringSplitOptions.RemoveEmptyEntries)
                    .Select(static line => "EN " + line.Split(' ')[^1] + "\r\n")));
        foreach (Task<OperationResult> each in callers.Append(caller))
        {
            Assert.Equal(ResultStatus.Miss, (await each.WaitAsync(Eventually.Limit)).Status);
        }
    }

    [Fact]
    public async Task A_caller_whose_send_had_to_wait_does_not_wait_for_the_sends_of_others()
    {
        var sends = new System.Collections.Concurrent.ConcurrentQueue<int>();
        var transport = new FakeTransport { Waits = true };
        using var rig = new ConnectionRig(new FakeFactory(_ => transport), CallMode.Sync, TimeSpan.FromSeconds(60));
        await rig.Opened();
        Task<OperationResult>? other = null;
        transport.Sending = _ =>
        {
            sends.Enqueue(Environment.CurrentManagedThreadId);
            if (other is null)
            {
                int before = rig.Connection.PendingCount;
                other = Task.Factory.StartNew(() => rig.Execute(OperationKind.Get).Result, TaskCreationOptions.LongRunning);
                Assert.True(SpinWait.SpinUntil(() => rig.Connection.PendingCount > before, Eventually.Limit), "the next request does not come");
            }

            return Task.CompletedTask;
        };
        int first = 0;
        Task<OperationResult> caller = Task.Factory.StartNew(
            () =>
            {
                first = Environment.CurrentManagedThreadId;
                return rig.Execute(OperationKind.Get).Result;
            },
            TaskCreationOptions.LongRunning);
        await Eventually.True(() => sends.Count == 2, "both are sent");
        Assert.Equal(1, sends.Count(thread => thread == first));
        await Eventually.True(() => transport.Sent.Count(static c => c == '\n') == 2, "both are out");
        transport.Close();
        await Task.WhenAll(caller, other!).WaitAsync(Eventually.Limit);
    }

    [Fact]
    public async Task The_limit_of_a_send_is_for_all_of_its_pieces()
    {
        var transport = new FakeTransport { Waits = true };
        var opening = new TaskCompletionSource<FakeTransport>();
        using var rig = new ConnectionRig(new FakeFactory((_, _) => opening.Task), CallMode.Sync, TimeSpan.FromSeconds(60));
        Task[] callers = [.. Enumerable.Range(0, 3).Select(_ => Task.Factory.StartNew(() => rig.Store(new byte[100_000]).Result, TaskCreationOptions.LongRunning))];
        await Eventually.True(() => rig.Connection.PendingCount == callers.Length, "all wait for the connection");
        opening.SetResult(transport);
        await Eventually.True(() => transport.Since.Count >= callers.Length, "all are sent");
        Assert.Equal(0, transport.Since[0]);
        Assert.All(transport.Since.Skip(1), static since => Assert.NotEqual(0, since));
        transport.Close();
        await Task.WhenAll(callers).WaitAsync(Eventually.Limit);
    }

    [Fact]
    public async Task A_timeout_that_no_scan_saw_is_counted_all_the_same()
    {
        // Scans need the thread pool, and synchronous calls are there for those who have used it up.
        using var rig = new ConnectionRig(mode: CallMode.Sync, limit: TimeSpan.FromMilliseconds(50));
        await rig.Opened();
        OperationResult result = await rig.Execute(OperationKind.Get);
        Assert.Equal(MemcachedFailureReason.TimedOut, result.Failure!.Reason);
        Assert.Equal((1L, 1L), (rig.Counters.Timeouts, rig.Counters.Errors));
    }

    [Fact]
    public async Task A_server_that_closes_ends_the_wait()
    {
        using var rig = new ConnectionRig(mode: CallMode.Sync, limit: TimeSpan.FromSeconds(30));
        await rig.Opened();
        Task<OperationResult> waiting = Task.Factory.StartNew(() => rig.Execute(OperationKind.Get).Result, TaskCreationOptions.LongRunning);
        await Eventually.True(() => rig.Transport.Sent.Length > 0, "it is sent");
        rig.Transport.Close();
        Assert.Equal(MemcachedFailureReason.ConnectionLost, (await waiting.WaitAsync(Eventually.Limit)).Failure!.Reason);
        await rig.Connection.Finished.WaitAsync(Eventually.Limit);
    }

    [Fact]
    public async Task Breaking_wakes_the_read_loop_and_the_callers()
    {
        using var rig = new ConnectionRig(mode: CallMode.Sync, limit: TimeSpan.FromSeconds(30));
        await rig.Opened();
        Task<OperationResult> waiting = Task.Factory.StartNew(() => rig.Execute(OperationKind.Get).Result, TaskCreationOptions.LongRunning);
        await Eventually.True(() => rig.Transport.Sent.Length > 0, "it is sent");
        rig.Connection.Break(ConnectionEndReason.Disposed, "over");
        Assert.Equal(ResultStatus.Failed, (await waiting.WaitAsync(Eventually.Limit)).Status);
        await rig.Connection.Finished.WaitAsync(Eventually.Limit);
    }

    [Fact]
    public async Task An_unusable_peer_ends_it()
    {
        using var rig = new ConnectionRig(new FakeFactory(_ => new FakeTransport { Handshake = "VERSION 1.4.0\r\n" }), CallMode.Sync);
        ConnectionEnd? end = await rig.Connection.Opened.WaitAsync(Eventually.Limit);
        Assert.Equal(ConnectionEndReason.ConnectFailed, end!.Reason);
    }
}
