using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class MetaRequestsTests
{
    private static readonly byte[] Key = "k"u8.ToArray();

    private delegate int Writer(Span<byte> destination);

    [Fact]
    public void Get() => AssertBytes("mg k v f t O1\r\n", static d => MetaRequests.WriteGet(d, WireKey.Of(Key), 1));

    [Fact]
    public void Inspect() => AssertBytes("mg k f t O4294967295\r\n", static d => MetaRequests.WriteInspect(d, WireKey.Of(Key), uint.MaxValue));

    [Fact]
    public void Touch() => AssertBytes("mg k T61 f t c O0\r\n", static d => MetaRequests.WriteTouch(d, WireKey.Of(Key), 61, 0));

    [Fact]
    public void Store_without_flags() => AssertBytes("ms k 5 T1200 O7\r\n", static d => MetaRequests.WriteStore(d, WireKey.Of(Key), 5, 1200, 0, 7));

    [Fact]
    public void Store_where_there_is_none() => AssertBytes("ms k 5 T1200 ME O7\r\n", static d => MetaRequests.WriteStore(d, WireKey.Of(Key), 5, 1200, 0, 7, new MetaRequests.StoreCondition(0, OnlyIfAbsent: true, ReturnsCas: false)));

    [Fact]
    public void Store_with_flags()
        => AssertBytes(
            "ms k 0 T2147483646 F3305111552 O7\r\n",
            static d => MetaRequests.WriteStore(d, WireKey.Of(Key), 0, int.MaxValue - 1, 3305111552, 7));

    [Fact]
    public void Get_with_cas() => AssertBytes("mg k v f t c O1\r\n", static d => MetaRequests.WriteGet(d, WireKey.Of(Key), 1, withCas: true));

    [Fact]
    public void Lease() => AssertBytes("mg k N10 v f t c O1\r\n", static d => MetaRequests.WriteLease(d, WireKey.Of(Key), 10, withValue: true, 1));

    [Fact]
    public void Lease_without_value()
        => AssertBytes("mg k N600 f t c O1\r\n", static d => MetaRequests.WriteLease(d, WireKey.Of(Key), 600, withValue: false, 1));

    [Fact]
    public void Inspect_with_cas() => AssertBytes("mg k f t c O2\r\n", static d => MetaRequests.WriteInspect(d, WireKey.Of(Key), 2, withCas: true));

    [Fact]
    public void Store_over_a_state()
        => AssertBytes(
            "ms k 5 T9 F3 C18446744073709551615 c O7\r\n",
            static d => MetaRequests.WriteStore(d, WireKey.Of(Key), 5, 9, 3, 7, new(ulong.MaxValue, false, true)));

    [Fact]
    public void Store_where_nothing_is()
        => AssertBytes("ms k 16 T9 ME O7\r\n", static d => MetaRequests.WriteStore(d, WireKey.Of(Key), 16, 9, 0, 7, new(0, true, false)));

    [Fact]
    public void Store_that_tells_its_state()
        => AssertBytes("ms k 1 T9 c O7\r\n", static d => MetaRequests.WriteStore(d, WireKey.Of(Key), 1, 9, 0, 7, new(0, false, true)));

    [Fact]
    public void Delete_of_a_state() => AssertBytes("md k C77 O42\r\n", static d => MetaRequests.WriteDelete(d, WireKey.Of(Key), 42, 77));

    [Fact]
    public void Requests_over_a_state_change_no_key_that_could_be_uncertain()
    {
        Assert.True(new StoreRequest(WireKey.Of(Key), default, default, 1, 0, new(5, false, false)).ChangedKey.IsEmpty);
        Assert.False(new StoreRequest(WireKey.Of(Key), default, default, 1, 0, new(0, true, false)).ChangedKey.IsEmpty); // absence comes back
        Assert.False(new StoreRequest(WireKey.Of(Key), default, default, 1, 0, new(0, false, true)).ChangedKey.IsEmpty);
        Assert.True(new ConditionalDeleteRequest(WireKey.Of(Key), 5).ChangedKey.IsEmpty);
        Assert.False(new LeaseRequest(WireKey.Of(Key), 5, true, ownFlags: 0).ChangedKey.IsEmpty);
    }

    [Fact]
    public void Delete() => AssertBytes("md k O42\r\n", static d => MetaRequests.WriteDelete(d, WireKey.Of(Key), 42));

    [Fact]
    public void No_op() => AssertBytes("mn\r\n", static d => MetaRequests.WriteNoOp(d));

    [Fact]
    public void The_longest_line_of_each_command_fits_its_bound()
    {
        byte[] key = new byte[MetaRequests.MaximumKeyLength];
        key.AsSpan().Fill((byte)'k');
        byte[] room = new byte[MetaRequests.MaximumLineLength];
        int[] lengths =
        [
            MetaRequests.WriteGet(room, WireKey.Of(key), uint.MaxValue),
            MetaRequests.WriteInspect(room, WireKey.Of(key), uint.MaxValue),
            MetaRequests.WriteTouch(room, WireKey.Of(key), int.MinValue, uint.MaxValue),
            MetaRequests.WriteStore(room, WireKey.Of(key), int.MaxValue, int.MinValue, uint.MaxValue, uint.MaxValue, new MetaRequests.StoreCondition(0, OnlyIfAbsent: true, ReturnsCas: false)),
            MetaRequests.WriteDelete(room, WireKey.Of(key), uint.MaxValue),
            MetaRequests.WriteDelete(room, WireKey.Of(key), uint.MaxValue, ulong.MaxValue),
            MetaRequests.WriteLease(room, WireKey.Of(key), int.MinValue, withValue: true, uint.MaxValue),
            MetaRequests.WriteStore(room, WireKey.Of(key), int.MaxValue, int.MinValue, uint.MaxValue, uint.MaxValue, new(ulong.MaxValue, true, true)),
        ];
        Assert.All(lengths, static length => Assert.InRange(length, MetaRequests.MaximumKeyLength, MetaRequests.MaximumLineLength));
    }

    [Theory]
    [InlineData("Get", "mg key v f t O9\r\n")]
    [InlineData("Inspect", "mg key f t O9\r\n")]
    [InlineData("Touch", "mg key T30 f t c O9\r\n")]
    [InlineData("Delete", "md key O9\r\n")]
    [InlineData("NoOp", "mn\r\n")]
    public void Key_request_writes_its_verb(string kind, string expected)
    {
        byte[] room = new byte[MetaRequests.MaximumLineLength];
        var request = new KeyRequest(Enum.Parse<OperationKind>(kind), WireKey.Of("key"u8), 30);
        int length = request.Write(room, 9);
        Assert.Equal(expected, Encoding.ASCII.GetString(room, 0, length));
        Assert.True(length <= request.MaximumLength);
    }

    [Fact]
    public void Store_request_writes_prefix_and_every_segment()
    {
        byte[] room = new byte[1000];
        var request = new StoreRequest(WireKey.Of("key"u8), "PP"u8, Segments("ab", "", "c\r\n", "d"), 30, 1);
        int length = request.Write(room, 9);
        Assert.Equal("ms key 8 T30 F1 O9\r\nPPabc\r\nd\r\n", Encoding.ASCII.GetString(room, 0, length));
        Assert.True(length <= request.MaximumLength);
    }

    [Fact]
    public void Store_request_writes_an_empty_value()
    {
        byte[] room = new byte[1000];
        int length = new StoreRequest(WireKey.Of("key"u8), default, ReadOnlySequence<byte>.Empty, 30, 0).Write(room, 9);
        Assert.Equal("ms key 0 T30 O9\r\n\r\n", Encoding.ASCII.GetString(room, 0, length));
    }

    private static ReadOnlySequence<byte> Segments(params string[] texts)
    {
        Segment first = new(Encoding.ASCII.GetBytes(texts[0]), null);
        Segment last = first;
        foreach (string text in texts[1..])
        {
            last = new Segment(Encoding.ASCII.GetBytes(text), last);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private static void AssertBytes(string expected, Writer write)
    {
        byte[] room = new byte[MetaRequests.MaximumLineLength];
        room.AsSpan().Fill(0xEE);
        int length = write(room);
        Assert.Equal(expected, Encoding.ASCII.GetString(room, 0, length));
        Assert.False(room.AsSpan(length).ContainsAnyExcept((byte)0xEE), "wrote behind its end");
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] memory, Segment? before)
        {
            Memory = memory;
            if (before is not null)
            {
                before.Next = this;
                RunningIndex = before.RunningIndex + before.Memory.Length;
            }
        }
    }
}
