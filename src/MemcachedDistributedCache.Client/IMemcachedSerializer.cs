using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace MemcachedDistributedCache;

/// <summary>
/// Makes bytes of values and values of bytes, for <see cref="IMemcachedClient"/>. Byte arrays, <see cref="ReadOnlyMemory{T}"/> and
/// <see cref="ReadOnlySequence{T}"/> of bytes do not come here: they are stored as they are, with flags 0. Must be thread-safe.
/// </summary>
public interface IMemcachedSerializer
{
    /// <summary>Writes a value.</summary>
    /// <typeparam name="T">Its type, as the caller names it.</typeparam>
    /// <param name="value">The value.</param>
    /// <param name="destination">Where its bytes go.</param>
    /// <returns>The client flags, by which readers know the kind of the bytes; 0 for text.</returns>
    /// <remarks>An exception goes to the caller, and nothing is stored.</remarks>
    uint Serialize<T>(T value, IBufferWriter<byte> destination);

    /// <summary>Reads a value. The bytes may be anybody's: anything may be wrong with them.</summary>
    /// <typeparam name="T">Its type, as the caller names it.</typeparam>
    /// <param name="source">The bytes; valid until the method returns.</param>
    /// <param name="flags">The client flags of the item.</param>
    /// <param name="value">The value.</param>
    /// <returns>
    /// False where flags or bytes are of another kind, which the caller sees as <see cref="MemcachedOutcome.Unreadable"/>. An exception
    /// goes to the caller.
    /// </returns>
    bool TryDeserialize<T>(ReadOnlyMemory<byte> source, uint flags, [MaybeNullWhen(false)] out T value);
}
