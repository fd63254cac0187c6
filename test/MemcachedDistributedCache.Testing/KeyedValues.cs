using System.Buffers.Binary;

namespace MemcachedDistributedCache.Testing;

/// <summary>Values that say whose they are: the key's number, a version, and bytes that follow from both.</summary>
public static class KeyedValues
{
    private const int HeaderLength = 16;

    /// <summary>Makes a value of <paramref name="length"/> bytes besides its header.</summary>
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
    public static int VersionOf(int key, ReadOnlySpan<byte> value)
    {
        string? fault = Read(key, value, out int version);
        Xunit.Assert.True(fault is null, fault);
        return version;
    }

    /// <summary>Reads a value's version; says what is wrong with a value that is not the key's own and whole, or null.</summary>
    public static string? Read(int key, ReadOnlySpan<byte> value, out int version)
    {
        version = 0;
        if (value.Length < HeaderLength)
        {
            return $"key {key}: a value of {value.Length} bytes";
        }

        int owner = BinaryPrimitives.ReadInt32LittleEndian(value);
        version = BinaryPrimitives.ReadInt32LittleEndian(value[4..]);
        if (owner != key)
        {
            return $"key {key}: the value of key {owner}";
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(value[8..]);
        return length == value.Length - HeaderLength && value.SequenceEqual(Create(key, version, length))
            ? null
            : $"key {key}: the bytes of version {version} are not its own";
    }
}
