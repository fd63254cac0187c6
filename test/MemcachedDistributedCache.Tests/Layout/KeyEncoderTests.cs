using System.Text;
using CsCheck;
using MemcachedDistributedCache.Client;
using MemcachedDistributedCache.Distributed;
using MemcachedDistributedCache.Layout;

namespace MemcachedDistributedCache.Tests.Layout;

public sealed class KeyEncoderTests
{
    [Theory]
    [InlineData("", "user:42", "user:42")]
    [InlineData("shop", "user:42", "shop|user:42")]
    [InlineData("shop", "a|b", "shop|a|b")]
    [InlineData("", "h\u00e9", "h\u00e9")]
    [InlineData("", "a#b", "a#b")]
    public void A_legal_key_passes_as_it_is(string keyNamespace, string key, string expected) => Assert.Equal(expected, Encode(keyNamespace, key));

    [Theory]
    [InlineData("a b")]
    [InlineData(" ")]
    [InlineData("a\r\nflush_all\r\n")]
    [InlineData("a\0")]
    [InlineData("\u007f")]
    [InlineData("\t")]
    [InlineData("#a")]
    [InlineData("#")]
    public void Any_other_is_hashed(string key)
    {
        foreach (string keyNamespace in (string[])["", "shop"])
        {
            string wire = Encode(keyNamespace, key);
            Assert.StartsWith(keyNamespace.Length == 0 ? "#" : "shop|#", wire, StringComparison.Ordinal);
            Assert.Equal(keyNamespace.Length == 0 ? 44 : 49, wire.Length);
        }
    }

    [Fact]
    public void A_lone_surrogate_is_hashed()
    {
        // Not as inline data: attributes are stored in UTF-8, which has no lone surrogates.
        Assert.StartsWith("#", Encode("", "\ud83d"), StringComparison.Ordinal);
        Assert.StartsWith("shop|#", Encode("shop", "\ude00\ud83d"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_pipe_is_hashed_without_a_namespace() => Assert.StartsWith("#", Encode("", "a|b"), StringComparison.Ordinal);

    [Theory]
    [InlineData("", "a b", "#")]
    public void The_hash_is_a_wire_contract(string keyNamespace, string key, string start)
    {
        byte[] digest = System.Security.Cryptography.SHA256.HashData(Encoding.Unicode.GetBytes(key));
        Assert.Equal(start + Convert.ToBase64String(digest).TrimEnd('=').Replace('+', '-').Replace('/', '_'), Encode(keyNamespace, key));
    }

    [Theory]
    [InlineData(0, 250, 250)]
    [InlineData(0, 251, 44)]
    [InlineData(0, 10_000, 44)]
    [InlineData(10, 239, 250)]
    [InlineData(10, 240, 55)]
    [InlineData(205, 44, 250)]
    [InlineData(205, 45, 250)]
    public void Keys_keep_to_the_bound(int namespaceLength, int keyLength, int expected)
        => Assert.Equal(expected, Encode(new string('n', namespaceLength), new string('k', keyLength)).Length);

    [Fact]
    public void An_emoji_counts_its_bytes()
    {
        string emoji = string.Concat(Enumerable.Repeat("\ud83d\ude00", 62));
        Assert.Equal(emoji + "ab", Encode("", emoji + "ab"));
        Assert.StartsWith("#", Encode("", emoji + "abc"), StringComparison.Ordinal);
    }

    [Fact]
    public void Different_pairs_never_meet_and_every_byte_is_legal()
    {
        string[] pieces = ["", "a", "b", "|", "#", " ", "\r\n", "\0", "\u007f", "\u0080", "\u00e9", "e\u0301", "\ufffd", "\ud83d", "\ude00", "\ud83d\ude00", "\ud83d\ude01", "aa", "a|", "|a", "a#", "#a", new string('x', 249), new string('x', 300)];
        string[] namespaces = ["", "a", "b", "aa", "a#", "ab", new string('n', 205)];
        var keys = new HashSet<string>(pieces, StringComparer.Ordinal);
        foreach (string one in pieces)
        {
            foreach (string two in pieces)
            {
                keys.Add(one + two);
                keys.Add(one + two + one);
            }
        }

        keys.Remove("");
        keys.UnionWith([.. keys.Take(300).Select(key => Encode("", key))]);
        keys.UnionWith([.. keys.Take(300).Select(key => Encode("a", key))]);
        var seen = new Dictionary<string, (string, string)>(StringComparer.Ordinal);
        byte[] buffer = new byte[250];
        foreach (string keyNamespace in namespaces)
        {
            var encoder = new KeyEncoder(keyNamespace);
            foreach (string key in keys)
            {
                ReadOnlySpan<byte> wire = encoder.Encode(key, buffer);
                Assert.InRange(wire.Length, 1, 250);
                Assert.False(wire.ContainsAnyInRange((byte)0, (byte)' ') || wire.Contains((byte)0x7f));
                string text = Convert.ToHexString(wire);
                Assert.True(seen.TryAdd(text, (keyNamespace, key)), $"({keyNamespace}, {key}) meets {seen.GetValueOrDefault(text)}");
            }
        }
    }

    [Fact]
    public void Random_pairs_meet_only_if_they_are_equal_and_every_byte_is_legal()
    {
        Gen<string> namespaces = Gen.OneOf(Gen.String[Gen.Char['!', '~'], 0, 3], Gen.String[Gen.Const('n'), 200, KeyEncoder.MaximumNamespaceLength])
            .Where(KeyEncoder.IsValidNamespace);
        Gen<char> characters = Gen.Frequency((4, Gen.OneOf('a', 'b', '|', '#', '^', ' ', '\r', '\n', '\0', '\u007f', '\u00e9')), (1, Gen.Char));
        Gen<string> keys = Gen.Frequency((9, Gen.String[characters, 1, 4]), (1, Gen.String[characters, 40, 260]));
        Gen.Select(namespaces, keys, namespaces, keys, Gen.Int[0, 3]).Sample(
            static (space, key, otherSpace, otherKey, trick) =>
            {
                // Most of what could meet is what one of them looks like on the wire, given as a key.
                (otherSpace, otherKey) = trick switch
                {
                    0 => (otherSpace, otherKey),
                    1 => ("", $"{space}|{key}"),
                    2 => (space, Encode(space, key)),
                    _ => ("", Encode(space, key)),
                };
                byte[] wire = new KeyEncoder(space).Encode(key, new byte[250]).ToArray();
                Assert.InRange(wire.Length, 1, 250);
                Assert.False(wire.AsSpan().ContainsAnyInRange((byte)0, (byte)' ') || wire.AsSpan().Contains((byte)0x7f));
                bool meets = wire.AsSpan().SequenceEqual(new KeyEncoder(otherSpace).Encode(otherKey, new byte[250]));
                Assert.Equal((space, key) == (otherSpace, otherKey), meets);
            },
            iter: 10_000,
            threads: 1);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void No_key_is_refused(string? key) => Assert.ThrowsAny<ArgumentException>(() => Encode("", key!));

    [Fact]
    public void A_plain_key_allocates_nothing()
    {
        var encoder = new KeyEncoder("shop");
        byte[] buffer = new byte[250];
        _ = encoder.Encode("user:1", buffer);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            _ = encoder.Encode("user:4242", buffer);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("shop:", true)]
    [InlineData("a#", true)]
    [InlineData("~!", true)]
    [InlineData("#a", false)]
    [InlineData("a|b", false)]
    [InlineData("a b", false)]
    [InlineData("\u00e9", false)]
    [InlineData("a\n", false)]
    [InlineData("\u007f", false)]
    public void Namespaces_are_printable(string keyNamespace, bool valid) => Assert.Equal(valid, KeyEncoder.IsValidNamespace(keyNamespace));

    [Fact]
    public void Namespaces_leave_room_for_a_hash()
    {
        Assert.Equal(205, KeyEncoder.MaximumNamespaceLength);
        Assert.True(KeyEncoder.IsValidNamespace(new string('n', 205)));
        Assert.False(KeyEncoder.IsValidNamespace(new string('n', 206)));
    }

    [Fact]
    public void The_partitions_hash_is_a_wire_contract()
    {
        byte[] digest = System.Security.Cryptography.SHA256.HashData(Encoding.Unicode.GetBytes("pages\0key"));
        string text = Convert.ToBase64String(digest).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        Assert.Equal("shop|#^" + text[..42], Encode("shop", "key", "pages"));
    }

    [Fact]
    public void Partitions_meet_neither_one_another_nor_the_applications_keys()
    {
        string longest = new('n', 205);
        string[] keys = ["a", "ab", "#^a", "pages\0a", "s\0a", "\0", new string('k', 10_000)];
        List<string> wires =
        [
            .. new[] { "", "a", longest }.SelectMany(space =>
                keys.SelectMany(key => new[] { "", "pages", "page", "s", "pages-s" }.Select(partition => Encode(space, key, partition)))),
        ];
        wires.AddRange(wires.Where(static wire => wire.StartsWith('#')).Select(static wire => Encode("", wire)).ToArray());
        Assert.Equal(wires.Count, wires.Distinct(StringComparer.Ordinal).Count());
        Assert.All(wires, static wire => Assert.InRange(wire.Length, 1, 250));
    }

    [Theory]
    [InlineData("pages", true)]
    [InlineData("Output-Cache-2", true)]
    [InlineData("", false)]
    [InlineData("a b", false)]
    [InlineData("a\0", false)]
    [InlineData("\u00e9", false)]
    public void Partitions_have_plain_names(string partition, bool valid) => Assert.Equal(valid, KeyEncoder.IsValidPartition(partition));

    private static string Encode(string keyNamespace, string key, string partition)
        => Encoding.UTF8.GetString(new KeyEncoder(keyNamespace, partition).Encode(key, new byte[250]));

    private static string Encode(string keyNamespace, string key) => Encoding.UTF8.GetString(new KeyEncoder(keyNamespace).Encode(key, new byte[250]));
}
