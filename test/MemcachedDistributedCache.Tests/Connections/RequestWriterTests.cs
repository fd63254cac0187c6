using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

public sealed class RequestWriterTests
{
    private static readonly ConnectionEnd End = new(ConnectionEndReason.Disposed, "over");
    private static readonly PendingQueue Elsewhere = new(); // these operations are never swept
    private readonly PendingQueue _pending = new();

    [Fact]
    public void Until_the_connection_is_open_the_opener_sends()
    {
        RequestWriter writer = Writer(open: false);
        Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer));
        SendBuffer buffer = writer.TakeForSending()!;
        Assert.Equal("md k O1\r\n", Text(buffer));
        buffer.Clear();
        Assert.Null(writer.TakeForSending());
        Assert.Equal(RequestWriter.Outcome.SendSoon, Delete(writer));
    }

    [Fact]
    public void Alone_a_caller_sends_and_among_others_it_hands_over()
    {
        RequestWriter writer = Writer();
        Assert.Equal(RequestWriter.Outcome.SendNow, Delete(writer));
        Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer));
        SendBuffer first = writer.TakeForSending()!;
        Assert.Equal("md k O1\r\nmd k O2\r\n", Text(first));
        Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer));
        first.Clear();
        Assert.False(writer.EndTurnIfEmpty());
        SendBuffer second = writer.TakeForSending()!;
        Assert.Equal("md k O3\r\n", Text(second));
        second.Clear();
        Assert.True(writer.EndTurnIfEmpty());
        Assert.Equal(RequestWriter.Outcome.SendSoon, Delete(writer));
    }

    [Fact]
    public void Large_and_small_requests_keep_the_order_of_the_pending_queue()
    {
        RequestWriter writer = Writer(open: false);
        int[] sizes = [10, 20_000, 0, 300_000, 16_384, 5, 5, 100_000];
        foreach (int size in sizes)
        {
            Assert.Equal(RequestWriter.Outcome.Enqueued, Store(writer, size));
        }

        SendBuffer buffer = writer.TakeForSending()!;
        Assert.Equal(writer.Appended, buffer.Length);
        string text = Text(buffer);
        int at = 0;
        foreach (int size in sizes)
        {
            PendingOperation operation = _pending.Dequeue()!;
            Assert.Equal(at, operation.Position);
            string expected = $"ms k {size} T60 O{operation.Opaque}\r\n{new string('v', size)}\r\n";
            Assert.Equal(expected, text.Substring(at, expected.Length));
            at += expected.Length;
        }

        Assert.Equal(text.Length, at);
        buffer.Clear();
    }

    [Fact]
    public void Too_many_pending_is_overload()
    {
        RequestWriter writer = Writer(maximumPending: 3, open: false);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer));
        }

        Assert.Equal(RequestWriter.Outcome.Overloaded, Delete(writer));
        Assert.Equal(RequestWriter.Outcome.Overloaded, Store(writer, 100_000));
        _ = _pending.Dequeue();
        Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer));
    }

    [Fact]
    public void Too_many_bytes_is_overload_unless_alone()
    {
        RequestWriter writer = Writer(maximumBuffered: 100_000, open: false);
        Assert.Equal(RequestWriter.Outcome.Enqueued, Store(writer, 500_000));
        Assert.Equal(RequestWriter.Outcome.Overloaded, Delete(writer));
        Assert.Equal(RequestWriter.Outcome.Overloaded, Store(writer, 500_000));
        SendBuffer buffer = writer.TakeForSending()!;

        // What is being sent still takes its memory.
        Assert.Equal(RequestWriter.Outcome.Overloaded, Delete(writer));
        buffer.Clear();
        Assert.Null(writer.TakeForSending());
        Assert.Equal(RequestWriter.Outcome.SendSoon, Delete(writer));
        Assert.Equal(2, _pending.Count);
    }

    [Fact]
    public void Closed_takes_nothing_and_keeps_the_first_cause()
    {
        RequestWriter writer = Writer();
        Delete(writer);
        Assert.True(writer.Close(End));
        Assert.False(writer.Close(new ConnectionEnd(ConnectionEndReason.Idle, "later")));
        Assert.Same(End, writer.End);
        Assert.True(writer.IsClosed);
        Assert.Equal(RequestWriter.Outcome.Closed, Delete(writer));
        Assert.Equal(RequestWriter.Outcome.Closed, Store(writer, 100_000));
        Assert.Null(writer.TakeForSending());
        Assert.True(writer.EndTurnIfEmpty());
        Assert.Equal(1, _pending.Count);
        writer.Discard();
    }

    [Fact]
    public void Was_sent_says_what_was_handed_over()
    {
        RequestWriter writer = Writer();
        Delete(writer);
        Assert.False(writer.WasSent(0));
        SendBuffer buffer = writer.TakeForSending()!;
        Delete(writer);
        Assert.True(writer.WasSent(0));
        Assert.False(writer.WasSent(buffer.Length));
    }

    [Fact]
    public void Closes_for_idleness_only_when_nothing_moves()
    {
        RequestWriter writer = Writer();
        Assert.False(writer.CloseIfIdle(5, End));
        Delete(writer);
        Assert.False(writer.CloseIfIdle(writer.Appended, End));
        writer.TakeForSending()!.Clear();
        Assert.True(writer.EndTurnIfEmpty());
        Assert.False(writer.CloseIfIdle(writer.Appended, End));
        _ = _pending.Dequeue();
        Assert.False(writer.CloseIfIdle(writer.Appended - 1, End));
        Assert.True(writer.CloseIfIdle(writer.Appended, End));
        Assert.False(writer.CloseIfIdle(writer.Appended, End));
        Assert.Equal(RequestWriter.Outcome.Closed, Delete(writer));
    }

    [Fact]
    public void Many_writers_and_one_sender_send_every_byte_once_in_order()
    {
        const int Writers = 4;
        const int Each = 5000;
        RequestWriter writer = Writer(maximumPending: int.MaxValue, maximumBuffered: int.MaxValue);
        var sent = new List<byte>();
        Thread[] threads = [.. Enumerable.Range(0, Writers).Select(index => new Thread(() =>
        {
            for (int i = 0; i < Each; i++)
            {
                RequestWriter.Outcome outcome = Store(writer, i % 500 == 0 ? 20_000 : i % 50);
                if (outcome is RequestWriter.Outcome.SendNow or RequestWriter.Outcome.SendSoon)
                {
                    // The list is the sender's alone, because there is one sender at a time.
                    do
                    {
                        if (writer.TakeForSending() is not { } buffer)
                        {
                            break;
                        }

                        sent.AddRange(Encoding.Latin1.GetBytes(Text(buffer)));
                        buffer.Clear();
                    }
                    while (!writer.EndTurnIfEmpty());
                }
            }
        }))];
        Array.ForEach(threads, static thread => thread.Start());
        Array.ForEach(threads, static thread => thread.Join());
        Assert.Equal(Writers * Each, _pending.Count);
        string text = Encoding.Latin1.GetString([.. sent]);
        int at = 0;
        while (_pending.Dequeue() is { } operation)
        {
            Assert.Equal(at, operation.Position);
            int lineEnd = text.IndexOf("\r\n", at, StringComparison.Ordinal);
            string[] parts = text[at..lineEnd].Split(' ');
            Assert.Equal($"O{operation.Opaque}", parts[4]);
            at = lineEnd + 4 + int.Parse(parts[2]);
            Assert.Equal("\r\n", text.Substring(at - 2, 2));
        }

        Assert.Equal(text.Length, at);
    }

    private static string Text(SendBuffer buffer)
    {
        var text = new StringBuilder();
        int count = buffer.CloseAndCount();
        for (int i = 0; i < count; i++)
        {
            text.Append(Encoding.Latin1.GetString(buffer.Piece(i).Span));
        }

        return text.ToString();
    }

    [Theory]
    [InlineData(false, "md k O1\r\nms k 5 T60 O2\r\nvvvvv\r\n", "md k O3\r\n")]
    [InlineData(true, "delete k\r\nset k 0 60 5\r\nvvvvv\r\n", "delete k\r\n")]
    public void What_was_asked_before_the_server_told_its_commands_is_sent_in_those(bool isClassic, string first, string next)
    {
        var writer = new RequestWriter(_pending, 1000, 10_000_000, MemcachedProtocol.Auto);
        Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer));
        Assert.Equal(RequestWriter.Outcome.Enqueued, Store(writer, 5));
        writer.Decide(isClassic);
        SendBuffer buffer = writer.TakeForSending()!;
        Assert.Equal(first, Text(buffer));
        buffer.Clear();
        writer.Decide(!isClassic); // decided once
        Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer));
        Assert.Equal(next, Text(writer.TakeForSending()!));
    }

    [Theory]
    [InlineData(MemcachedProtocol.Auto)]
    [InlineData(MemcachedProtocol.Classic)]
    public void Large_requests_are_classic_too_and_keep_the_order(MemcachedProtocol protocol)
    {
        var writer = new RequestWriter(_pending, 1000, 10_000_000, protocol);
        int[] sizes = [10, 20_000, 0, 300_000, 16_384];
        Assert.All(sizes, size => Assert.Equal(RequestWriter.Outcome.Enqueued, Store(writer, size)));
        writer.Decide(isClassic: true);
        Assert.Equal(RequestWriter.Outcome.Enqueued, Store(writer, 50_000));
        string expected = string.Concat(sizes.Append(50_000).Select(size => $"set k 0 60 {size}\r\n{new string('v', size)}\r\n"));
        Assert.Equal(expected, Text(writer.TakeForSending()!));
        Assert.Equal(6, _pending.Count);
    }

    [Fact]
    public void A_request_that_cannot_be_encoded_leaves_no_trace_in_either_dialect()
    {
        foreach (bool isClassic in (bool[])[false, true])
        {
            var pending = new PendingQueue();
            var writer = new RequestWriter(pending, 1000, 10_000_000, MemcachedProtocol.Auto);
            Assert.Throws<ArgumentException>(() => writer.Enqueue(new KeyRequest(OperationKind.Delete, default), Rent(OperationKind.Delete)));
            Assert.Equal(RequestWriter.Outcome.Enqueued, Delete(writer));
            writer.Decide(isClassic);
            Assert.Equal(isClassic ? "delete k\r\n" : "md k O2\r\n", Text(writer.TakeForSending()!));
            Assert.Equal(1, pending.Count);
        }
    }

    private RequestWriter Writer(int maximumPending = 1000, long maximumBuffered = 10_000_000, bool open = true)
    {
        var writer = new RequestWriter(_pending, maximumPending, maximumBuffered);
        Assert.True(!open || writer.TakeForSending() is null);
        return writer;
    }

    private static RequestWriter.Outcome Delete(RequestWriter writer)
        => writer.Enqueue(new KeyRequest(OperationKind.Delete, WireKey.Of("k"u8)), Rent(OperationKind.Delete));

    private static RequestWriter.Outcome Store(RequestWriter writer, int size)
    {
        byte[] value = new byte[size];
        value.AsSpan().Fill((byte)'v');
        return writer.Enqueue(new StoreRequest(WireKey.Of("k"u8), default, new ReadOnlySequence<byte>(value), 60, 0), Rent(OperationKind.Store));
    }

    private static PendingOperation Rent(OperationKind kind) => PendingOperation.Rent(Elsewhere, kind, ValueTarget.OwnArray, CallMode.Async, 0);
}
