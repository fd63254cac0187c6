using System.Buffers.Binary;
using System.Security.Cryptography;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The version of a tag: <c>Unix time in milliseconds, 8 bytes, big-endian | random, 8 bytes</c>. Versions are compared for
/// equality only; the time makes them unique beyond the chance of the random part, and readable for whoever looks into a server.
/// </summary>
internal sealed record TagVersion(ulong Time, ulong Random)
{
    /// <summary>The length of a version, in bytes.</summary>
    public const int Length = 16;

    /// <summary>A version that has never been.</summary>
    public static TagVersion Create(TimeProvider timeProvider)
    {
        Span<byte> random = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(random);
        return new TagVersion((ulong)timeProvider.GetUtcNow().ToUnixTimeMilliseconds(), BinaryPrimitives.ReadUInt64BigEndian(random));
    }

    /// <summary>The version was made so many seconds before a moment, or earlier.</summary>
    public bool IsOlderThan(int seconds, long unixTime) => unixTime - (long)Time >= seconds * 1000L;

    /// <summary>Reads the first bytes of a span.</summary>
    public static TagVersion Read(ReadOnlySpan<byte> source)
        => new(BinaryPrimitives.ReadUInt64BigEndian(source), BinaryPrimitives.ReadUInt64BigEndian(source[sizeof(ulong)..]));

    /// <summary>Writes the version into the first bytes of a span.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, Time);
        BinaryPrimitives.WriteUInt64BigEndian(destination[sizeof(ulong)..], Random);
    }

    /// <summary>The version as bytes of its own.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[Length];
        Write(bytes);
        return bytes;
    }
}
