using MemcachedDistributedCache.Client;
using System.Buffers.Binary;
using System.Buffers;
using System.Text;
using MemcachedDistributedCache.Layout;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>Turns values of one type into payloads and back.</summary>
internal abstract class ValueCodec<T>
{
    /// <summary>Writes a value that is not null, and tells what was written.</summary>
    public abstract PayloadKind Write(T value, PooledWriter writer);

    /// <summary>Reads a payload; throws where it is not what this codec wrote.</summary>
    public abstract T Read(PayloadKind kind, ReadOnlyMemory<byte> payload);

    /// <summary>The bytes of memory that a value takes besides its payload.</summary>
    public virtual int ExtraSize(T value) => 0;

    /// <summary>The proof that written values can be read; null where nothing has to be proved.</summary>
    public virtual SerializationProof<T>? Proof => null;

    /// <summary>Values of the type are kept nowhere, as nobody could read them.</summary>
    public bool IsRefused => Proof is { IsRefused: true };

    protected static InvalidDataException Unexpected(PayloadKind kind)
        => new($"The entry holds a payload of kind {kind}, which is not how a {typeof(T)} is kept.");
}

/// <summary>A serializer's values.</summary>
internal sealed class SerializerCodec<T>(IHybridCacheSerializer<T> serializer, SerializationProof<T> proof) : ValueCodec<T>
{
    /// <inheritdoc/>
    public override SerializationProof<T> Proof => proof;

    /// <inheritdoc/>
    public override PayloadKind Write(T value, PooledWriter writer)
    {
        serializer.Serialize(value, writer);
        return PayloadKind.Serialized;
    }

    /// <inheritdoc/>
    public override T Read(PayloadKind kind, ReadOnlyMemory<byte> payload)
        => kind == PayloadKind.Serialized ? serializer.Deserialize(new ReadOnlySequence<byte>(payload)) : throw Unexpected(kind);
}

/// <summary>Byte arrays, as they are.</summary>
internal sealed class BytesCodec : ValueCodec<byte[]>
{
    /// <inheritdoc/>
    public override PayloadKind Write(byte[] value, PooledWriter writer)
    {
        writer.Write(value);
        return PayloadKind.Bytes;
    }

    /// <inheritdoc/>
    public override byte[] Read(PayloadKind kind, ReadOnlyMemory<byte> payload)
        => kind == PayloadKind.Bytes ? payload.ToArray() : throw Unexpected(kind);
}

/// <summary>Text in UTF-8, or in UTF-16 where UTF-8 cannot say it.</summary>
internal sealed class TextCodec : ValueCodec<string>
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <inheritdoc/>
    public override PayloadKind Write(string value, PooledWriter writer)
    {
        if (HasLoneSurrogate(value))
        {
            Span<byte> room = writer.GetSpan(value.Length * sizeof(char));
            for (int i = 0; i < value.Length; i++)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(room[(i * sizeof(char))..], value[i]);
            }

            writer.Advance(value.Length * sizeof(char));
            return PayloadKind.Utf16;
        }

        Strict.GetBytes(value, writer);
        return PayloadKind.Utf8;
    }

    /// <inheritdoc/>
    public override string Read(PayloadKind kind, ReadOnlyMemory<byte> payload) => kind switch
    {
        PayloadKind.Utf8 => Strict.GetString(payload.Span),
        PayloadKind.Utf16 when payload.Length % sizeof(char) == 0 => ReadUnits(payload.Span),
        _ => throw Unexpected(kind),
    };

    /// <inheritdoc/>
    public override int ExtraSize(string value) => value.Length * sizeof(char);

    private static string ReadUnits(ReadOnlySpan<byte> payload)
    {
        char[] units = new char[payload.Length / sizeof(char)];
        for (int i = 0; i < units.Length; i++)
        {
            units[i] = (char)BinaryPrimitives.ReadUInt16LittleEndian(payload[(i * sizeof(char))..]);
        }

        return new string(units);
    }

    private static bool HasLoneSurrogate(string value)
    {
        for (int i = 0; i < value.Length; i++)
        {
            if (char.IsSurrogate(value[i]))
            {
                if (!char.IsSurrogatePair(value, i))
                {
                    return true;
                }

                i++;
            }
        }

        return false;
    }
}
