using System.Buffers.Binary;
using System.Buffers.Text;
using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Unicode;
using System.Text;
using MemcachedDistributedCache.Protocol;

namespace MemcachedDistributedCache.Client;

/// <summary>
/// Makes a legal memcached key of a namespace and any string, so that different pairs never meet:
/// <code>
/// namespace|key             a key that is legal as it is, in UTF-8
/// namespace|#base64url(h)   any other key; h is the SHA-256 of its UTF-16 code units, little-endian
/// namespace|#pkey  #qh42    what another layer keeps under a key, legal as it is or hashed: p and q are the signs of its space,
///                           such as '=' and '~' of the hybrid cache's entries; h42 are the first 42 of the hash's 43 characters
/// namespace|#?              a probe
/// namespace|#^base64url(h)  any key of a partition; h is the SHA-256 of its name, a zero unit and the key, cut to 42 characters
/// </code>
/// A hash has 43 characters of base64url, none of which is one of the signs, so that what follows the '#' tells the forms apart.
/// A namespace has no '|', and a key that begins with '#' is always hashed. With an empty namespace the '|' is left out, and a key
/// that contains one is hashed, unless a sign stands before it, for no namespace begins with '#'. Hashing code units
/// instead of UTF-8 keeps keys apart that differ in a lone surrogate only.
/// </summary>
internal sealed class KeyEncoder
{
    /// <summary>The longest namespace: what is left has room for a hashed key.</summary>
    public const int MaximumNamespaceLength = MetaRequests.MaximumKeyLength - 1 - 1 - HashLength;

    /// <summary>Stands between namespace and key.</summary>
    public const char Separator = '|';

    private const byte HashMarker = (byte)'#';
    private const int HashLength = 43;
    private const int ShortHashLength = HashLength - 1;
    private const byte PartitionMarker = (byte)'^';
    private static readonly SearchValues<byte> HashCharacters = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"u8);
    private readonly byte[] _prefix;
    private readonly string _partition;

    /// <param name="keyNamespace">Stands before every key.</param>
    /// <param name="partition">Keeps the keys apart from those of other partitions of the namespace; empty for the
    /// application's own keys.</param>
    public KeyEncoder(string keyNamespace, string partition = "")
    {
        _prefix = keyNamespace.Length == 0 ? [] : Encoding.ASCII.GetBytes(keyNamespace + Separator);
        _partition = partition.Length == 0 ? "" : partition + '\0';
    }

    /// <summary>Writes the key for the wire into <paramref name="buffer"/>, 250 bytes long, and returns the part that was used.</summary>
    /// <exception cref="ArgumentException">The key is null or empty.</exception>
    public WireKey Encode(string key, Span<byte> buffer)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        _prefix.CopyTo(buffer);
        Span<byte> rest = buffer[_prefix.Length..MetaRequests.MaximumKeyLength];
        if (_partition.Length == 0
            && TryEncodePlain(key, rest, out int length)
            && WireKey.TryCreate(buffer[..(_prefix.Length + length)], out WireKey plain))
        {
            return plain;
        }

        length = _partition.Length == 0 ? EncodeHash(key, rest) : EncodeHash(_partition + key, rest, PartitionMarker);
        return WireKey.Of(buffer[..(_prefix.Length + length)]);
    }

    /// <summary>The namespace.</summary>
    public string Namespace => _prefix.Length == 0 ? "" : Encoding.ASCII.GetString(_prefix.AsSpan(0, _prefix.Length - 1));

    /// <summary>How many bytes of each key are the namespace and its sign.</summary>
    public int PrefixLength => _prefix.Length;

    /// <summary>
    /// Makes a key of another space, which meets no plain key and nothing of a space with other signs. A sign is none of the
    /// characters of a hash.
    /// </summary>
    public byte[] Encode(string key, (char Plain, char Hashed) space)
    {
        Span<byte> buffer = stackalloc byte[MetaRequests.MaximumKeyLength];
        _prefix.CopyTo(buffer);
        Span<byte> rest = buffer[_prefix.Length..];
        rest[0] = HashMarker;
        rest[1] = (byte)space.Plain;
        Span<byte> text = rest[2..];
        if (!TryEncodeText(key, text, out int length) || !WireKey.TryCreate(buffer[..(_prefix.Length + 2 + length)], out _))
        {
            Span<byte> hash = stackalloc byte[1 + HashLength];
            EncodeHash(key, hash);
            rest[1] = (byte)space.Hashed;
            hash.Slice(1, ShortHashLength).CopyTo(text);
            length = ShortHashLength;
        }

        return buffer[..(_prefix.Length + 2 + length)].ToArray();
    }

    /// <summary>
    /// This is a key, without the namespace, that <see cref="Encode(string, ValueTuple{char, char})"/> makes for the space. Asked of keys
    /// that were read: a key of another form, or of another space, must not be sent to a server.
    /// </summary>
    public bool IsOf((char Plain, char Hashed) space, ReadOnlySpan<byte> key)
    {
        if (key.Length < 3 || key.Length > MetaRequests.MaximumKeyLength - _prefix.Length || key[0] != HashMarker || !WireKey.TryCreate(key, out _))
        {
            return false;
        }

        ReadOnlySpan<byte> text = key[2..];
        return key[1] == space.Plain
            ? Utf8.IsValid(text)
            : key[1] == space.Hashed && text.Length == ShortHashLength && !text.ContainsAnyExcept(HashCharacters);
    }

    /// <summary>A legal key of this namespace that no string is encoded to.</summary>
    public byte[] ProbeKey => [.. _prefix, HashMarker, (byte)'?'];

    /// <summary>A partition's name can be used: 1 to 32 letters, digits and hyphens, in ASCII.</summary>
    public static bool IsValidPartition(string partition)
        => partition.Length is > 0 and <= 32 && partition.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-');

    /// <summary>A namespace can be used: printable ASCII without '|', and short enough.</summary>
    public static bool IsValidNamespace(string keyNamespace)
        => keyNamespace.Length <= MaximumNamespaceLength
            && !keyNamespace.AsSpan().ContainsAnyExceptInRange('!', '~')
            && !keyNamespace.Contains(Separator, StringComparison.Ordinal)
            && !keyNamespace.StartsWith((char)HashMarker);

    private bool TryEncodePlain(string key, Span<byte> destination, out int length)
        => TryEncodeText(key, destination, out length)
            && destination[0] != HashMarker
            && (_prefix.Length != 0 || !destination[..length].Contains((byte)Separator));

    /// <summary>Writes the text if it has room; whether its bytes can stand in a key is for <see cref="WireKey"/> to say.</summary>
    private static bool TryEncodeText(string key, Span<byte> destination, out int length)
    {
        length = 0;
        return key.Length <= destination.Length
            && Utf8.FromUtf16(key, destination, out _, out length, replaceInvalidSequences: false) == System.Buffers.OperationStatus.Done;
    }

    /// <summary>
    /// Writes the marked hash. Both forms are of one length: a second marker takes the place of the hash's last four
    /// bits.
    /// </summary>
    private static int EncodeHash(string key, Span<byte> destination, byte secondMarker = 0)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        if (BitConverter.IsLittleEndian)
        {
            SHA256.HashData(MemoryMarshal.AsBytes(key.AsSpan()), hash);
        }
        else
        {
            ushort[] units = new ushort[key.Length];
            BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<char, ushort>(key), units);
            SHA256.HashData(MemoryMarshal.AsBytes(units.AsSpan()), hash);
        }

        destination[0] = HashMarker;
        if (secondMarker == 0)
        {
            return 1 + Base64Url.EncodeToUtf8(hash, destination[1..]);
        }

        Span<byte> text = stackalloc byte[HashLength];
        Base64Url.EncodeToUtf8(hash, text);
        destination[1] = secondMarker;
        text[..^1].CopyTo(destination[2..]);
        return 1 + HashLength;
    }
}
