using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace MemcachedDistributedCache.Consistency;

/// <summary>
/// Compares keys on the wire by their bytes, and hashes them with a secret of this process (Marvin, the runtime's own
/// hash of text). The ring's hash is no choice for a table: everybody can compute keys that share it, and a table of
/// such keys takes time in proportion to their square.
/// </summary>
internal sealed class KeyedKeyComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    /// <summary>The one instance.</summary>
    public static KeyedKeyComparer Instance { get; } = new();

    /// <inheritdoc/>
    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    /// <inheritdoc/>
    public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

    /// <inheritdoc/>
    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    /// <inheritdoc/>
    public int GetHashCode(ReadOnlySpan<byte> alternate)
    {
        // Two bytes are one character to the runtime. What is left of an odd length is mixed in with another secret of the process.
        int pairs = string.GetHashCode(MemoryMarshal.Cast<byte, char>(alternate), StringComparison.Ordinal);
        return alternate.Length % 2 == 0 ? pairs : HashCode.Combine(pairs, alternate[^1]);
    }

    /// <inheritdoc/>
    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}
