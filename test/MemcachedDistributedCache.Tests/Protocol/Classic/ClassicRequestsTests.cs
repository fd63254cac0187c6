using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Protocol.Classic;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Protocol.Classic;

public sealed class ClassicRequestsTests
{
    private const ClassicParts Line = ClassicParts.Line;
    private const ClassicParts Item = ClassicParts.Item;
    private static readonly byte[] Key = "k"u8.ToArray();

    private delegate int Writer(Span<byte> destination);

    [Fact]
    public void Get() => AssertBytes("gets k\r\n", static d => ClassicRequests.WriteGet(d, WireKey.Of(Key)));

    [Fact]
    public void Touch() => AssertBytes("touch k 61\r\ngets k\r\n", static d => ClassicRequests.WriteTouch(d, WireKey.Of(Key), 61));

    [Fact]
    public void Probe() => AssertBytes("set k 0 60 0\r\n\r\ngets k\r\n", static d => ClassicRequests.WriteProbe(d, WireKey.Of(Key), 60));

    [Fact]
    public void Lease()
        => AssertBytes("add k 3307208704 10 0\r\n\r\ngets k\r\n", static d => ClassicRequests.WriteLease(d, WireKey.Of(Key), 10, 3307208704));

    [Fact]
    public void Store() => AssertBytes("set k 0 1200 5\r\n", static d => ClassicRequests.WriteStore(d, WireKey.Of(Key), 5, 1200, 0));

    [Fact]
    public void Store_where_there_is_none()
        => AssertBytes("add k 7 1200 5\r\n", static d => ClassicRequests.WriteStore(d, WireKey.Of(Key), 5, 1200, 7, new(0, true, false)));

    [Fact]
    public void Store_over_a_state()
        => AssertBytes(
            "cas k 4294967295 2147483646 5 18446744073709551615\r\n",
            static d => ClassicRequests.WriteStore(d, WireKey.Of(Key), 5, int.MaxValue - 1, uint.MaxValue, new(ulong.MaxValue, false, true)));

    [Fact]
    public void Delete() => AssertBytes("delete k\r\n", static d => ClassicRequests.WriteDelete(d, WireKey.Of(Key)));

    [Fact]
    public void Delete_in_a_state() => AssertBytes("cas k 0 2592001 0 9\r\n\r\n", static d => ClassicRequests.WriteExpiry(d, WireKey.Of(Key), 9));

    [Fact]
    public void NoOp() => AssertBytes("version\r\n", static d => ClassicRequests.WriteNoOp(d));

    [Theory]
    [InlineData("Get", "gets k\r\n", Item | ClassicParts.Value)]
    [InlineData("Inspect", "gets k\r\n", Item)]
    [InlineData("Touch", "touch k 60\r\ngets k\r\n", Line | Item)]
    [InlineData("Probe", "set k 0 60 0\r\n\r\ngets k\r\n", Line | Item)]
    [InlineData("Delete", "delete k\r\n", Line)]
    [InlineData("NoOp", "version\r\n", Line)]
    public void Each_kind_of_request_says_what_its_reply_consists_of(string kind, string bytes, object parts)
    {
        var request = new KeyRequest(Enum.Parse<OperationKind>(kind), WireKey.Of(Key), 60);
        AssertRequest(request, bytes, (ClassicParts)parts);
        Assert.True(request.Expectation.Key.SequenceEqual(Key));
    }

    [Fact]
    public void A_lease_says_so_too()
    {
        var wanted = new LeaseRequest(WireKey.Of(Key), 10, withValue: true, ownFlags: 77);
        AssertRequest(wanted, "add k 77 10 0\r\n\r\ngets k\r\n", Line | ClassicParts.Add | Item | ClassicParts.Value);
        Assert.Equal((77u, 0), (wanted.Expectation.OwnFlags, wanted.Expectation.OwnLength));
        AssertRequest(new LeaseRequest(WireKey.Of(Key), 10, withValue: false, ownFlags: 77), "add k 77 10 0\r\n\r\ngets k\r\n", Line | ClassicParts.Add | Item);
        AssertRequest(new ConditionalDeleteRequest(WireKey.Of(Key), 9), "cas k 0 2592001 0 9\r\n\r\n", Line | ClassicParts.Expiry);
    }

    [Theory]
    [InlineData(0, true, true)]
    [InlineData(4091, true, true)]
    [InlineData(4092, true, false)] // with its prefix of five bytes more than is read back
    [InlineData(0, false, false)]
    public void A_store_is_read_back_if_its_state_is_wanted_and_it_is_small(int length, bool returnsCas, bool isReadBack)
    {
        string value = new('v', length);
        var sequence = new ReadOnlySequence<byte>(Encoding.ASCII.GetBytes(value));
        var request = new StoreRequest(WireKey.Of(Key), "start"u8, sequence, 9, 3, new(8, false, returnsCas));
        AssertRequest(
            request,
            $"cas k 3 9 {5 + length} 8\r\nstart{value}\r\n" + (isReadBack ? "gets k\r\n" : ""),
            Line | ClassicParts.Cas | (isReadBack ? Item : ClassicParts.None));
        Assert.Equal((3u, 5 + length), (request.Expectation.OwnFlags, request.Expectation.OwnLength));
    }

    [Fact]
    public void No_request_is_longer_than_it_says()
    {
        byte[] key = [.. Enumerable.Repeat((byte)'k', MetaRequests.MaximumKeyLength)];
        byte[] room = new byte[20_000];
        const int Latest = int.MaxValue;
        foreach (OperationKind kind in Enum.GetValues<OperationKind>().Except([OperationKind.Store, OperationKind.Lease]))
        {
            var request = new KeyRequest(kind, WireKey.Of(key), Latest);
            Assert.True(request.WriteClassic(room) <= request.MaximumLength + ClassicRequests.AdditionalLength, kind.ToString());
        }

        var lease = new LeaseRequest(WireKey.Of(key), Latest, withValue: true, uint.MaxValue);
        Assert.True(lease.WriteClassic(room) <= lease.MaximumLength + ClassicRequests.AdditionalLength);
        var delete = new ConditionalDeleteRequest(WireKey.Of(key), ulong.MaxValue);
        Assert.True(delete.WriteClassic(room) <= delete.MaximumLength + ClassicRequests.AdditionalLength);
        var value = new ReadOnlySequence<byte>(new byte[4096]);
        var store = new StoreRequest(WireKey.Of(key), default, value, Latest, uint.MaxValue, new(ulong.MaxValue, false, true));
        Assert.True(store.WriteClassic(room) <= store.MaximumLength + ClassicRequests.AdditionalLength);
    }

    [Fact]
    public void No_key_gets_past_the_check()
    {
        byte[] room = new byte[1000];
        Assert.Throws<ArgumentException>(() => ClassicRequests.WriteGet(room, default));
        Assert.Throws<ArgumentException>(() => ClassicRequests.WriteTouch(room, default, 1));
        Assert.Throws<ArgumentException>(() => ClassicRequests.WriteProbe(room, default, 1));
        Assert.Throws<ArgumentException>(() => ClassicRequests.WriteLease(room, default, 1, 1));
        Assert.Throws<ArgumentException>(() => ClassicRequests.WriteStore(room, default, 1, 1, 1));
        Assert.Throws<ArgumentException>(() => ClassicRequests.WriteDelete(room, default));
        Assert.Throws<ArgumentException>(() => ClassicRequests.WriteExpiry(room, default, 1));
    }

    private static void AssertRequest<TRequest>(scoped in TRequest request, string bytes, ClassicParts parts)
        where TRequest : struct, IRequest, allows ref struct
    {
        byte[] room = new byte[10_000];
        Assert.Equal(bytes, Encoding.ASCII.GetString(room, 0, request.WriteClassic(room)));
        Assert.Equal(parts, request.Expectation.Parts);
    }

    private static void AssertBytes(string expected, Writer write)
    {
        byte[] room = new byte[1000];
        Assert.Equal(expected, Encoding.ASCII.GetString(room, 0, write(room)));
    }
}
