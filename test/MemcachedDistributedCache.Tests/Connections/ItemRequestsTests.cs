using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Protocol;
using MemcachedDistributedCache.Protocol.Classic;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Connections;

/// <summary>The bytes of the typed client's requests, in both dialects.</summary>
public sealed class ItemRequestsTests
{
    private const int Latest = int.MaxValue;

    private static readonly ReadOnlySequence<byte> Value = new("ab\r\nc"u8.ToArray());

    [Theory]
    [InlineData(true, null, "mg k v f t c h l O9\r\n", "gets k\r\n", ClassicParts.Item | ClassicParts.Value)]
    [InlineData(false, null, "mg k s f t c h l O9\r\n", "gets k\r\n", ClassicParts.Item)]
    [InlineData(true, 60, "mg k T60 v f t c h l O9\r\n", "touch k 60\r\ngets k\r\n", ClassicParts.Line | ClassicParts.Item | ClassicParts.Value)]
    [InlineData(false, 60, "mg k T60 s f t c h l O9\r\n", "touch k 60\r\ngets k\r\n", ClassicParts.Line | ClassicParts.Item)]
    public void Fetch(bool withValue, int? timeToLive, string meta, string classic, object parts)
        => AssertRequest(new FetchRequest(WireKey.Of("k"u8), withValue, timeToLive), meta, classic, (ClassicParts)parts);

    [Theory]
    [InlineData("Set", 0ul, null, "ms k 5 T30 F7 c O9\r\n", "set k 7 30 5\r\n", ClassicParts.Line)]
    [InlineData("Set", 8ul, null, "ms k 5 T30 F7 C8 c O9\r\n", "cas k 7 30 5 8\r\n", ClassicParts.Line | ClassicParts.Cas)]
    [InlineData("Add", 0ul, null, "ms k 5 ME T30 F7 c O9\r\n", "add k 7 30 5\r\n", ClassicParts.Line | ClassicParts.Add)]
    [InlineData("Replace", 0ul, null, "ms k 5 MR T30 F7 c O9\r\n", "replace k 7 30 5\r\n", ClassicParts.Line | ClassicParts.Add)]
    [InlineData("Replace", 8ul, null, "ms k 5 MR T30 F7 C8 c O9\r\n", "cas k 7 30 5 8\r\n", ClassicParts.Line | ClassicParts.Cas)]
    [InlineData("Append", 0ul, null, "ms k 5 MA F7 c O9\r\n", "append k 7 30 5\r\n", ClassicParts.Line | ClassicParts.Add)]
    [InlineData("Prepend", 0ul, null, "ms k 5 MP F7 c O9\r\n", "prepend k 7 30 5\r\n", ClassicParts.Line | ClassicParts.Add)]
    [InlineData("Append", 0ul, 60, "ms k 5 MA N60 F7 c O9\r\n", "append k 7 30 5\r\n", ClassicParts.Line | ClassicParts.Add)]
    public void Put(string mode, ulong cas, int? vivify, string meta, string classic, object parts)
    {
        var request = new PutRequest(WireKey.Of("k"u8), Enum.Parse<StoreMode>(mode), Value, 30, 7) { Cas = cas, VivifyTimeToLive = vivify };
        AssertRequest(request, meta + "ab\r\nc\r\n", classic + "ab\r\nc\r\n", (ClassicParts)parts);
    }

    [Theory]
    [InlineData("Append", "ms k 5 MA C8 c O9\r\nab\r\nc\r\n")]
    [InlineData("Prepend", "ms k 5 MP C8 c O9\r\nab\r\nc\r\n")]
    public void Append_to_a_state_has_no_classic_form(string mode, string meta)
    {
        var request = new PutRequest(WireKey.Of("k"u8), Enum.Parse<StoreMode>(mode), Value, 30, 0) { Cas = 8 };
        AssertRequest(request, meta, "version\r\n", ClassicParts.Line | ClassicParts.Unsupported);
    }

    [Theory]
    [InlineData(false, 1ul, null, "ma k D1 v t c O9\r\n", "incr k 1\r\n")]
    [InlineData(true, ulong.MaxValue, null, "ma k MD D18446744073709551615 v t c O9\r\n", "decr k 18446744073709551615\r\n")]
    [InlineData(false, 2ul, 5ul, "ma k D2 N60 J5 v t c O9\r\n", "incr k 2\r\n")]
    public void Increment(bool down, ulong delta, ulong? initial, string meta, string classic)
        => AssertRequest(new IncrementRequest(WireKey.Of("k"u8), new(down, delta, initial, 60), false), meta, classic, ClassicParts.Line);

    [Theory]
    [InlineData(0ul, "md k I T30 O9\r\n")]
    [InlineData(8ul, "md k I T30 C8 O9\r\n")]
    public void Mark_stale(ulong cas, string meta)
        => AssertRequest(
            new MarkStaleRequest(WireKey.Of("k"u8), 30, cas),
            meta,
            "version\r\n",
            ClassicParts.Line | ClassicParts.Unsupported);

    [Fact]
    public void A_key_is_made_uncertain_only_where_the_caller_wants_that_and_no_state_guards_the_change()
    {
        Assert.True(new PutRequest(WireKey.Of("k"u8), StoreMode.Set, Value, 30, 0).ChangedKey.IsEmpty);
        Assert.False(new PutRequest(WireKey.Of("k"u8), StoreMode.Set, Value, 30, 0) { RecordsUncertain = true }.ChangedKey.IsEmpty);
        Assert.True(new PutRequest(WireKey.Of("k"u8), StoreMode.Set, Value, 30, 0) { RecordsUncertain = true, Cas = 8 }.ChangedKey.IsEmpty);
        Assert.True(new IncrementRequest(WireKey.Of("k"u8), new(false, 1, null, 1), recordsUncertain: false).ChangedKey.IsEmpty);
        Assert.False(new IncrementRequest(WireKey.Of("k"u8), new(false, 1, null, 1), recordsUncertain: true).ChangedKey.IsEmpty);
        Assert.True(new FetchRequest(WireKey.Of("k"u8), true, 1).ChangedKey.IsEmpty);
        Assert.True(new MarkStaleRequest(WireKey.Of("k"u8), 1, 0).ChangedKey.IsEmpty);
    }

    [Fact]
    public void No_request_is_longer_than_it_says()
    {
        byte[] bytes = [.. Enumerable.Repeat((byte)'k', MetaRequests.MaximumKeyLength)];
        AssertFits(new FetchRequest(WireKey.Of(bytes), true, Latest));
        AssertFits(new IncrementRequest(WireKey.Of(bytes), new(true, ulong.MaxValue, ulong.MaxValue, Latest), true));
        AssertFits(new MarkStaleRequest(WireKey.Of(bytes), Latest, ulong.MaxValue));
        foreach (StoreMode mode in Enum.GetValues<StoreMode>())
        {
            var value = new ReadOnlySequence<byte>(new byte[100_000]);
            AssertFits(new PutRequest(WireKey.Of(bytes), mode, value, Latest, uint.MaxValue) { Cas = ulong.MaxValue, VivifyTimeToLive = Latest });
        }
    }

    private static void AssertFits<TRequest>(scoped in TRequest request)
        where TRequest : struct, IRequest, allows ref struct
    {
        byte[] room = new byte[request.MaximumLength + ClassicRequests.AdditionalLength];
        Assert.InRange(request.Write(room, uint.MaxValue), 1, request.MaximumLength);
        Assert.InRange(request.WriteClassic(room), 1, room.Length);
    }

    private static void AssertRequest<TRequest>(scoped in TRequest request, string meta, string classic, ClassicParts parts)
        where TRequest : struct, IRequest, allows ref struct
    {
        byte[] room = new byte[request.MaximumLength + ClassicRequests.AdditionalLength];
        Assert.Equal(meta, Encoding.ASCII.GetString(room, 0, request.Write(room, 9)));
        Assert.Equal(classic, Encoding.ASCII.GetString(room, 0, request.WriteClassic(room)));
        Assert.Equal(parts, request.Expectation.Parts);
        Assert.True(request.Expectation.Key.SequenceEqual("k"u8));
    }
}
