using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Tests.Protocol;

public sealed class MetaRequestsTests
{
    private static readonly byte[] Key = "k"u8.ToArray();

    private delegate int Writer(Span<byte> destination);

    [Fact]
    public void Get() => AssertBytes("mg k v f t O1\r\n", static d => MetaRequests.WriteGet(d, Key, 1));

    [Fact]
    public void Inspect() => AssertBytes("mg k f t O4294967295\r\n", static d => MetaRequests.WriteInspect(d, Key, uint.MaxValue));

    [Fact]
    public void Touch() => AssertBytes("mg k T61 f t c O0\r\n", static d => MetaRequests.WriteTouch(d, Key, 61, 0));

    [Fact]
    public void StoreWithoutFlags() => AssertBytes("ms k 5 T1200 O7\r\n", static d => MetaRequests.WriteStore(d, Key, 5, 1200, 0, 7));

    [Fact]
    public void StoreWhereThereIsNone() => AssertBytes("ms k 5 T1200 ME O7\r\n", static d => MetaRequests.WriteStore(d, Key, 5, 1200, 0, 7, onlyIfAbsent: true));

    [Fact]
    public void StoreWithFlags() => AssertBytes("ms k 0 T2147483646 F3305111552 O7\r\n", static d => MetaRequests.WriteStore(d, Key, 0, int.MaxValue - 1, 3305111552, 7));

    [Fact]
    public void Delete() => AssertBytes("md k O42\r\n", static d => MetaRequests.WriteDelete(d, Key, 42));

    [Fact]
    public void NoOp() => AssertBytes("mn\r\n", static d => MetaRequests.WriteNoOp(d));

    [Fact]
    public void TheLongestLineOfEachCommandFitsItsBound()
    {
        byte[] key = new byte[MetaRequests.MaximumKeyLength];
        key.AsSpan().Fill((byte)'k');
        byte[] room = new byte[MetaRequests.MaximumLineLength];
        int[] lengths =
        [
            MetaRequests.WriteGet(room, key, uint.MaxValue),
            MetaRequests.WriteInspect(room, key, uint.MaxValue),
            MetaRequests.WriteTouch(room, key, int.MinValue, uint.MaxValue),
            MetaRequests.WriteStore(room, key, int.MaxValue, int.MinValue, uint.MaxValue, uint.MaxValue, onlyIfAbsent: true),
            MetaRequests.WriteDelete(room, key, uint.MaxValue),
        ];
        Assert.All(lengths, static length => Assert.InRange(length, MetaRequests.MaximumKeyLength, MetaRequests.MaximumLineLength));
    }

    [Theory]
    [InlineData("Get", "mg key v f t O9\r\n")]
    [InlineData("Inspect", "mg key f t O9\r\n")]
    [InlineData("Touch", "mg key T30 f t c O9\r\n")]
    [InlineData("Delete", "md key O9\r\n")]
    [InlineData("NoOp", "mn\r\n")]
    public void KeyRequestWritesItsVerb(string kind, string expected)
    {
        byte[] room = new byte[MetaRequests.MaximumLineLength];
        var request = new KeyRequest(Enum.Parse<OperationKind>(kind), "key"u8, 30);
        int length = request.Write(room, 9);
        Assert.Equal(expected, Encoding.ASCII.GetString(room, 0, length));
        Assert.True(length <= request.MaximumLength);
    }

    [Fact]
    public void StoreRequestWritesPrefixAndEverySegment()
    {
        byte[] room = new byte[1000];
        var request = new StoreRequest("key"u8, "PP"u8, Segments("ab", "", "c\r\n", "d"), 30, 1);
        int length = request.Write(room, 9);
        Assert.Equal("ms key 8 T30 F1 O9\r\nPPabc\r\nd\r\n", Encoding.ASCII.GetString(room, 0, length));
        Assert.True(length <= request.MaximumLength);
    }

    [Fact]
    public void StoreRequestWritesAnEmptyValue()
    {
        byte[] room = new byte[1000];
        int length = new StoreRequest("key"u8, default, ReadOnlySequence<byte>.Empty, 30, 0).Write(room, 9);
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
