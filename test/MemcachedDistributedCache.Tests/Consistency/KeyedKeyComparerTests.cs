using MemcachedDistributedCache.Consistency;
using System.Buffers.Binary;
using System.Numerics;
using MemcachedDistributedCache.Cluster;

namespace MemcachedDistributedCache.Tests.Consistency;

public sealed class KeyedKeyComparerTests
{
    [Fact]
    public void Keys_that_share_the_hash_of_the_ring_do_not_share_a_place_in_a_table()
    {
        byte[][] keys = [.. Enumerable.Range(0, 20_000).Select(static i => WithTheSameRingHash(i, 12))];
        Assert.Single(keys.Select(static key => HashRing.Hash(key)).Distinct());
        int places = keys.Select(KeyedKeyComparer.Instance.GetHashCode).Distinct().Count();
        Assert.True(places > keys.Length * 0.999, $"{keys.Length} keys have {places} hashes");
    }

    [Theory]
    [InlineData(12)]
    [InlineData(13)]
    public void A_span_finds_the_key_that_an_array_put_there(int length)
    {
        var table = new Dictionary<byte[], int>(KeyedKeyComparer.Instance);
        for (int i = 0; i < 100; i++)
        {
            table[WithTheSameRingHash(i, length)] = i;
        }

        Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> bySpan = table.GetAlternateLookup<ReadOnlySpan<byte>>();
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(i, bySpan[WithTheSameRingHash(i, length)]);
        }

        Assert.False(bySpan.ContainsKey(WithTheSameRingHash(100, length)));
    }

    /// <summary>
    /// The checksum of four more bytes depends on their exclusive or with the state alone, so the last four make up for
    /// what came before.
    /// </summary>
    private static byte[] WithTheSameRingHash(int number, int length)
    {
        byte[] key = new byte[length];
        BinaryPrimitives.WriteInt32LittleEndian(key, number);
        uint state = uint.MaxValue;
        foreach (byte b in key.AsSpan(0, length - 4))
        {
            state = BitOperations.Crc32C(state, b);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(key.AsSpan(length - 4), state ^ 0x12345678);
        return key;
    }
}
