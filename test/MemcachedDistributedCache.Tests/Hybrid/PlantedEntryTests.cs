using System.Buffers.Binary;
using System.Text;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Layout;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>Entries that somebody else wrote, with all that an entry needs but for one thing.</summary>
public sealed class PlantedEntryTests
{
    private readonly HybridModel _model = new(new ManualTimeProvider());

    public static TheoryData<string> KeysOfNoTag { get; } =
    [
        "x\r\nflush_all\r\nmn",
        "#@x\r\nflush_all\r\nmn",
        "#@a b",
        "#@a\0",
        "#@a\u007f",
        "#@\u00ff",
        "#@",
        "#@*",
        "#=key",
        "#!key",
        "#~" + new string('a', 42),
        "#%" + new string('a', 41),
        "#%" + new string('a', 43),
        "#%" + new string('a', 41) + "+",
        "#?",
        "#^" + new string('a', 42),
        "key",
        "#",
        "",
    ];

    [Theory]
    [MemberData(nameof(KeysOfNoTag))]
    public async Task An_entry_is_made_anew_and_no_such_key_is_sent_when_the_key_of_its_tag_is_not_a_tags(string key)
    {
        using var rig = new HybridRig(_model);
        byte[] tag = Encoding.Latin1.GetBytes(key);
        Plant(EntryWith("#@good"u8.ToArray(), tag));
        Assert.Equal("new", await rig.Get("key", "new"));
        Assert.Equal(0, rig.Parts.TagTable.Count);
        Assert.All(rig.Client.Calls, static call => Assert.Contains(call.Key, (string[])["#=key", "#@*"]));
        rig.Pass(2);
        Assert.Equal("new", await rig.Get("key", "never"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("shop")]
    public void Every_key_that_the_encoder_makes_of_a_tag_is_read_back_and_no_other_is(string space)
    {
        var keys = new KeyEncoder(space);
        foreach (string text in (string[])["a", "=a", "#@a", "a|b", "a b", new string('k', 300), "?", "**", "\ud800", "ü€", new string('k', 248 - keys.PrefixLength), new string('k', 249 - keys.PrefixLength)])
        {
            Assert.True(keys.IsTagKey(keys.Encode(text, HybridSpace.Tag).AsSpan(keys.PrefixLength)), text);
            Assert.False(keys.IsTagKey(keys.Encode(text, HybridSpace.Entry).AsSpan(keys.PrefixLength)), text);
            Assert.False(keys.IsTagKey(keys.Encode(text, HybridSpace.Lease).AsSpan(keys.PrefixLength)), text);
            Assert.False(keys.IsTagKey(((ReadOnlySpan<byte>)keys.Encode(text, new byte[250]))[keys.PrefixLength..]), text);
        }

        Assert.False(keys.IsTagKey(keys.Encode("*", HybridSpace.Tag).AsSpan(keys.PrefixLength)));
        Assert.False(keys.IsTagKey(Encoding.ASCII.GetBytes("#@" + new string('k', 249 - keys.PrefixLength))));
    }

    [Fact]
    public async Task Nothing_is_remembered_of_the_tags_of_an_entry_that_is_refused_for_something_else()
    {
        using var rig = new HybridRig(_model);
        Plant([.. EntryWith("#@one"u8.ToArray(), "#@other"u8.ToArray()), 0]);
        Assert.Equal("new", await rig.Get("key", "new"));
        Assert.Equal(0, rig.Parts.TagTable.Count);
    }

    [Theory]
    [InlineData(253_402_300_799_999)]
    [InlineData(253_402_297_200_000)]
    [InlineData(221_845_392_000_001)]
    public async Task An_entry_that_expires_at_the_end_of_the_calendar_is_made_anew(long expiresAt)
    {
        using var rig = new HybridRig(_model, static s => (s.MaxStale, s.StaleWindow) = (TimeSpan.FromDays(365), TimeSpan.FromDays(1)));
        byte[] item = EntryWith();
        BinaryPrimitives.WriteInt64BigEndian(item.AsSpan(10), expiresAt);
        await rig.Set("warm", "so that the versions of tags are known");
        rig.Parts.TagTable.WildcardOf([.. "#=key"u8]).Current!.Write(item.AsSpan(24));
        Plant(item);
        Assert.Equal("new", await rig.Get("key", "new"));
        Assert.Equal("new", await rig.Get("key", "never"));
    }

    [Fact]
    public async Task The_latest_expiration_that_is_read_overflows_nothing()
    {
        using var rig = new HybridRig(_model, static s => (s.MaxStale, s.StaleWindow) = (TimeSpan.FromDays(365), TimeSpan.FromDays(365)));
        byte[] item = EntryWith();
        BinaryPrimitives.WriteInt64BigEndian(item.AsSpan(10), 221_845_392_000_000);
        await rig.Set("warm", "so that the versions of tags are known");
        rig.Parts.TagTable.WildcardOf([.. "#=key"u8]).Current!.Write(item.AsSpan(24));
        Plant(item);
        Assert.Equal("planted", await rig.Get("key", "never"));
        rig.Pass(0.5);
        Assert.Equal("planted", await rig.Get("key", "never"));
    }

    private void Plant(byte[] item) => _model.Store("#=key", item, EntryLayout.Flags, 1000, null, false, this);

    /// <summary>An entry with these keys of tags, right but for the versions.</summary>
    private byte[] EntryWith(params byte[][] tagKeys)
    {
        byte[] payload = "planted"u8.ToArray();
        byte[] head = new byte[40];
        head[0] = 1;
        head[1] = (byte)PayloadKind.Utf8;
        long now = _model.Time.GetUtcNow().ToUnixTimeMilliseconds();
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(2), now);
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(10), now + 100_000);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(18), (ushort)tagKeys.Length);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(20), payload.Length);
        return [.. head, .. tagKeys.SelectMany(static key => (byte[])[(byte)key.Length, .. key, .. new byte[16]]), .. payload];
    }
}
