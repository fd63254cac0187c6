using System.Buffers.Binary;
using System.Numerics;

namespace MemcachedDistributedCache.AspNetCore.OutputCaching;

/// <summary>CRC-32C of bytes that come in parts; the processor computes it. Its result does not depend on where the parts begin.</summary>
internal static class Checksum
{
    /// <summary>The value that the first part is added to. Not 0, to which bytes that are 0 would add nothing.</summary>
    public const uint Start = uint.MaxValue;

    /// <summary>Adds a part.</summary>
    public static uint Add(uint checksum, ReadOnlySpan<byte> part)
    {
        while (part.Length >= sizeof(ulong))
        {
            checksum = BitOperations.Crc32C(checksum, BinaryPrimitives.ReadUInt64LittleEndian(part));
            part = part[sizeof(ulong)..];
        }

        foreach (byte b in part)
        {
            checksum = BitOperations.Crc32C(checksum, b);
        }

        return checksum;
    }
}
