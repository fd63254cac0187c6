using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>
/// A tag by its SHA-256, over its UTF-16 code units. Tags can be of any length and hold what must not lie about in a cache, such as a
/// user's name; the hash has one length and tells nothing.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct TagId(UInt128 High, UInt128 Low)
{
    /// <summary>Bytes of a tag's id.</summary>
    public const int Length = SHA256.HashSizeInBytes;

    /// <summary>The key of its version.</summary>
    public string Key => $"t{High:x32}{Low:x32}";

    /// <summary>The id of a tag.</summary>
    public static TagId Of(string tag)
    {
        Span<byte> hash = stackalloc byte[Length];
        if (BitConverter.IsLittleEndian)
        {
            SHA256.HashData(MemoryMarshal.AsBytes(tag.AsSpan()), hash);
        }
        else
        {
            ushort[] units = new ushort[tag.Length];
            BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<char, ushort>(tag), units);
            SHA256.HashData(MemoryMarshal.AsBytes(units.AsSpan()), hash);
        }

        return Read(hash);
    }

    /// <summary>Reads an id.</summary>
    public static TagId Read(ReadOnlySpan<byte> source)
        => new(BinaryPrimitives.ReadUInt128BigEndian(source), BinaryPrimitives.ReadUInt128BigEndian(source[16..]));

    /// <summary>Writes an id.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt128BigEndian(destination, High);
        BinaryPrimitives.WriteUInt128BigEndian(destination[16..], Low);
    }
}

/// <summary>
/// The version of a tag, as it lies in memcached: a random number that is never used again, 16 bytes, and the Unix time in milliseconds at
/// which it was made, 8 bytes, both big-endian. It is made by an eviction, or because there was none.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct TagVersion(UInt128 Number, long MadeAt)
{
    /// <summary>Bytes of a version.</summary>
    public const int Length = 24;

    /// <summary>The beginning of the year 9000: no version was made later.</summary>
    private const long LatestTime = 221_845_392_000_000;

    /// <summary>Bytes of its number.</summary>
    public const int NumberLength = 16;

    /// <summary>A version that no other equals.</summary>
    public static TagVersion New(DateTimeOffset now)
    {
        Span<byte> random = stackalloc byte[NumberLength];
        RandomNumberGenerator.Fill(random);
        return new(BinaryPrimitives.ReadUInt128BigEndian(random), now.ToUnixTimeMilliseconds());
    }

    /// <summary>Reads a version; false for what is none, or was made at a time that cannot be.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out TagVersion version)
    {
        version = default;
        if (source.Length != Length)
        {
            return false;
        }

        version = new(BinaryPrimitives.ReadUInt128BigEndian(source), BinaryPrimitives.ReadInt64BigEndian(source[NumberLength..]));

        // A tolerance is added to the time: one near the end of the numbers would turn into one of long ago.
        return version.MadeAt is >= 0 and <= LatestTime;
    }

    /// <summary>The version as it lies in memcached.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[Length];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, Number);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(NumberLength), MadeAt);
        return bytes;
    }
}

/// <summary>A tag and the version that it had.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct VersionedTag(TagId Tag, TagVersion Version);
