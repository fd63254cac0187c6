using System.Buffers.Binary;

namespace MemcachedDistributedCache.IntegrationTests;

/// <summary>Values that say whose they are: the key's number, a version, and bytes that follow from both.</summary>
internal static class KeyedValues
{
    private const int HeaderLength = 16;

    public static byte[] Create(int key, int version, int length)
    {
        byte[] value = new byte[HeaderLength + length];
        BinaryPrimitives.WriteInt32LittleEndian(value, key);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(4), version);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(8), length);
        new Random(HashCode.Combine(key, version)).NextBytes(value.AsSpan(HeaderLength));
        return value;
    }

    /// <summary>The version of a value, which must be the key's own and whole.</summary>
    public static int VersionOf(int key, byte[] value)
    {
        Assert.True(value.Length >= HeaderLength, $"key {key}: a value of {value.Length} bytes");
        Assert.Equal(key, BinaryPrimitives.ReadInt32LittleEndian(value));
        int version = BinaryPrimitives.ReadInt32LittleEndian(value.AsSpan(4));
        Assert.Equal(value.Length - HeaderLength, BinaryPrimitives.ReadInt32LittleEndian(value.AsSpan(8)));
        Assert.True(value.AsSpan().SequenceEqual(Create(key, version, value.Length - HeaderLength)), $"key {key}: bytes of another value");
        return version;
    }
}
