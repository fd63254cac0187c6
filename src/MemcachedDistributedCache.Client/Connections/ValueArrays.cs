using System.Buffers;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// The arrays of values that are read into a caller's writer. Small ones come from a pool of their own: the runtime's
/// shared pool keeps 32 arrays of a length for each core and allocates the rest, and a read loop that takes what
/// hundreds of callers give back is past that bound.
/// </summary>
internal static class ValueArrays
{
    /// <summary>The longest array of the pool; with the number below, at most 8 MB are kept for good.</summary>
    private const int LongestPooled = 16 * 1024;

    private const int ArraysPerLength = 256;

    private static readonly ArrayPool<byte> Small = ArrayPool<byte>.Create(LongestPooled, ArraysPerLength);

    /// <summary>An array of at least this length.</summary>
    public static byte[] Rent(int length) => PoolOf(length).Rent(length);

    /// <summary>Gives an array back.</summary>
    public static void Return(byte[] array) => PoolOf(array.Length).Return(array);

    private static ArrayPool<byte> PoolOf(int length) => length <= LongestPooled ? Small : ArrayPool<byte>.Shared;
}
