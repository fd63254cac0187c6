using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace MemcachedDistributedCache.Protocol;

/// <summary>
/// A key that memcached takes: 1 to 250 bytes, none of them a space, a control byte or 0x7f. The type cannot be made
/// without the check, and requests take nothing else, so that no key can end its line and begin a command, wherever its
/// bytes are from. A convention between callers was what stood here before: bytes read from a server went past it. The
/// check is one vectorized search; <c>KeyEncoder</c> needs it anyway to know whether a text can stand as it is.
/// </summary>
internal readonly ref struct WireKey
{
    private static readonly SearchValues<byte> Illegal = SearchValues.Create([
        .. Enumerable.Range(0, ' ' + 1).Select(static value => (byte)value),
        0x7f,
    ]);

    private readonly ReadOnlySpan<byte> _bytes;

    private WireKey(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>How many bytes it has; 0 only of the default value, which no request can write.</summary>
    public int Length => _bytes.Length;

    /// <summary>The bytes.</summary>
    public static implicit operator ReadOnlySpan<byte>(WireKey key) => key._bytes;

    /// <summary>Checks bytes that may be anything.</summary>
    public static bool TryCreate(ReadOnlySpan<byte> bytes, out WireKey key)
    {
        bool isLegal = bytes.Length is > 0 and <= MetaRequests.MaximumKeyLength && !bytes.ContainsAny(Illegal);
        key = isLegal ? new WireKey(bytes) : default;
        return isLegal;
    }

    /// <summary>Checks bytes that are a key unless something is wrong in this program.</summary>
    /// <exception cref="ArgumentException">They are no key.</exception>
    public static WireKey Of(ReadOnlySpan<byte> bytes)
    {
        if (!TryCreate(bytes, out WireKey key))
        {
            Refuse();
        }

        return key;
    }

    /// <summary>A copy of the bytes.</summary>
    public byte[] ToArray() => _bytes.ToArray();

    /// <summary>The bytes, for a request.</summary>
    /// <exception cref="ArgumentException">It is the default value.</exception>
    internal ReadOnlySpan<byte> ToWrite()
    {
        if (_bytes.IsEmpty)
        {
            Refuse();
        }

        return _bytes;
    }

    /// <summary>The bytes are not told: a key is in no message.</summary>
    [DoesNotReturn]
    private static void Refuse(string paramName = "bytes")
        => throw new ArgumentException(
            "These bytes are no memcached key: 1 to 250 bytes are, none of them a space, a control byte or 0x7f.",
            paramName);
}
