using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>Late replies, abandoned values, large values, and whose array is whose.</summary>
public sealed class ReplyReaderBufferTests
{
    private static readonly OperationResult TimedOut = OperationResult.Failed(
        new OperationFailure(MemcachedFailureReason.TimedOut, new NodeCounters("mc1:11211"), WasSent: true));

    [Theory]
    [InlineData(1)]
    [InlineData(int.MaxValue)]
    public void A_late_reply_is_dropped_and_the_next_operation_gets_its_own(int step)
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult> late = rig.Ask();
        Assert.Equal(1, rig.Queue.Scan(OperationClock.TicksPerTimeout, TimedOut).TimedOut);
        Assert.Equal(MemcachedFailureReason.TimedOut, ReaderRig.Now(late).Failure!.Reason);
        ValueTask<OperationResult> next = rig.Ask();
        Assert.Null(rig.Feed("VA 4 f0 t1 O1\r\nlate\r\nVA 4 f0 t1 O2\r\nnext\r\n", step));
        Assert.Equal("next"u8.ToArray(), ReaderRig.Now(next).Value);
    }

    [Fact]
    public void A_cancelled_operations_reply_is_dropped()
    {
        using var rig = new ReaderRig();
        using var source = new CancellationTokenSource();
        ValueTask<OperationResult> cancelled = rig.Ask(OperationKind.Store, cancellationToken: source.Token);
        ValueTask<OperationResult> next = rig.Ask(OperationKind.Delete);
        source.Cancel();
        Assert.Equal(ResultStatus.Canceled, ReaderRig.Now(cancelled).Status);
        Assert.Null(rig.Feed("HD O1\r\nNF O2\r\n"));
        Assert.Equal(ResultStatus.Miss, ReaderRig.Now(next).Status);
    }

    [Theory]
    [InlineData(true, 100)]
    [InlineData(false, 100)]
    [InlineData(true, 100_000)]
    [InlineData(false, 100_000)]
    public void Cancelled_while_its_value_is_half_read_it_leaves_the_stream_in_step(bool pooled, int length)
    {
        using var rig = new ReaderRig();
        using var source = new CancellationTokenSource();
        ValueTask<OperationResult> cancelled = rig.Ask(target: pooled ? ValueTarget.PooledArray : ValueTarget.OwnArray, cancellationToken: source.Token);
        ValueTask<OperationResult> next = rig.Ask();
        Assert.Null(rig.Feed($"VA {length} f7 t1 O1\r\n{new string('a', length / 2)}"));
        source.Cancel();
        Assert.Equal(ResultStatus.Canceled, ReaderRig.Now(cancelled).Status);
        Assert.Null(rig.Feed($"{new string('b', length - (length / 2))}\r\nVA 2 f0 t1 O2\r\nok\r\n", 777));
        Assert.Equal("ok"u8.ToArray(), ReaderRig.Now(next).Value);
    }

    [Fact]
    public void Large_values_are_received_straight_into_their_array()
    {
        using var rig = new ReaderRig();
        byte[] value = new byte[1_000_000];
        new Random(1).NextBytes(value);
        ValueTask<OperationResult> task = rig.Ask();
        Assert.Null(rig.Feed(Encoding.ASCII.GetBytes($"VA {value.Length + 8} f7 t1 O1\r\n")));
        Assert.Null(rig.Feed("\0\0\0\0\0\0\0\u0005"));
        Memory<byte> room = rig.Reader.GetMemory();
        Assert.Equal(value.Length, room.Length);
        Assert.Null(rig.Feed(value, 60_000));
        Assert.Null(rig.Feed("\r\n", 1));
        OperationResult result = ReaderRig.Now(task);
        Assert.Equal(5, result.Prefix);
        Assert.True(value.AsSpan().SequenceEqual(result.Value));
    }

    [Theory]
    [InlineData(4094)]
    [InlineData(4096)]
    [InlineData(4104)]
    [InlineData(32_750)]
    [InlineData(32_768)]
    [InlineData(65_536)]
    public void Values_around_the_buffer_sizes_arrive_whole(int length)
    {
        byte[] value = new byte[length];
        new Random(length).NextBytes(value);
        byte[] stream = [.. Encoding.ASCII.GetBytes($"VA {length} f0 t1 O1\r\n"), .. value, .. "\r\nEN O2\r\n"u8];
        foreach (int step in (int[])[13, 4095, 4096, 4097, int.MaxValue])
        {
            using var rig = new ReaderRig();
            ValueTask<OperationResult> task = rig.Ask();
            ValueTask<OperationResult> miss = rig.Ask();
            Assert.Null(rig.Feed(stream, step));
            Assert.True(value.AsSpan().SequenceEqual(ReaderRig.Now(task).Value));
            Assert.Equal(ResultStatus.Miss, ReaderRig.Now(miss).Status);
        }
    }

    [Fact]
    public void Many_replies_through_one_buffer_stay_in_step()
    {
        using var rig = new ReaderRig();
        var random = new Random(5);
        for (uint i = 1; i < 3000; i++)
        {
            ValueTask<OperationResult> task = rig.Ask();
            byte[] value = new byte[random.Next(200)];
            value.AsSpan().Fill((byte)i);
            Assert.Null(rig.Feed((byte[])[.. Encoding.ASCII.GetBytes($"VA {value.Length} f0 t1 O{i}\r\n"), .. value, .. "\r\n"u8], random.Next(1, 40)));
            Assert.Equal(value, ReaderRig.Now(task).Value);
        }
    }

    [Theory]
    [InlineData("delivered")]
    [InlineData("expired before")]
    [InlineData("cancelled half way")]
    [InlineData("broken half way")]
    public void A_pooled_array_comes_back_once_at_most(string story)
    {
        // Arrays of this size belong to nobody else in this process, so one returned twice would be rented twice below.
        const int Length = 3_000_000;
        using (var rig = new ReaderRig())
        {
            using var source = new CancellationTokenSource();
            ValueTask<OperationResult> task = rig.Ask(target: ValueTarget.PooledArray, cancellationToken: source.Token);
            if (story == "expired before")
            {
                _ = rig.Queue.Scan(OperationClock.TicksPerTimeout, TimedOut);
            }

            byte[] data = new byte[Length];
            Assert.Null(rig.Feed(Encoding.ASCII.GetBytes($"VA {Length} f0 t1 O1\r\n")));
            Assert.Null(rig.Feed(data.AsSpan(0, 100_000)));
            if (story == "cancelled half way")
            {
                source.Cancel();
            }

            if (story != "broken half way")
            {
                Assert.Null(rig.Feed(data.AsSpan(100_000)));
                Assert.Null(rig.Feed("\r\n"));
            }

            rig.End();
            rig.End();
            OperationResult result = ReaderRig.Now(task);
            Assert.Equal(story == "delivered", result.Value is not null);
            if (result.Value is { } array)
            {
                ValueArrays.Return(array);
            }
        }

        byte[][] rented = [.. Enumerable.Range(0, 20).Select(static _ => ValueArrays.Rent(Length))];
        Assert.Equal(rented.Length, rented.Distinct().Count());
    }

    [Fact]
    public void Fail_all_ends_what_is_read_and_what_waits()
    {
        using var rig = new ReaderRig();
        ValueTask<OperationResult>[] tasks = [.. Enumerable.Range(0, 600).Select(_ => rig.Ask())];
        Assert.Null(rig.Feed("EN O1\r\nVA 10 f0 t1 O2\r\nabc"));
        rig.End();
        Assert.Equal(ResultStatus.Miss, ReaderRig.Now(tasks[0]).Status);
        Assert.All(tasks[1..], static task => Assert.Equal(ResultStatus.Failed, ReaderRig.Now(task).Status));
    }
}
