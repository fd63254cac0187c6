using System.Buffers;

namespace MemcachedDistributedCache.Client;

/// <summary>The bytes of a value that is stored, until it has been: the caller's own, or a serializer's in a pooled array.</summary>
internal readonly struct StoredBytes : IDisposable
{
    private readonly PooledWriter? _writer;

    private StoredBytes(ReadOnlySequence<byte> bytes, uint flags = 0, PooledWriter? writer = null)
    {
        Bytes = bytes;
        Flags = flags;
        _writer = writer;
    }

    /// <summary>The bytes.</summary>
    public ReadOnlySequence<byte> Bytes { get; }

    /// <summary>Their client flags.</summary>
    public uint Flags { get; }

    /// <summary>Makes the bytes of a value.</summary>
    /// <exception cref="ArgumentNullException">The bytes are null.</exception>
    public static StoredBytes Of<T>(T value, IMemcachedSerializer serializer)
    {
        if (typeof(T) == typeof(byte[]))
        {
            ArgumentNullException.ThrowIfNull(value);
            return new StoredBytes(new ReadOnlySequence<byte>((byte[])(object)value));
        }

        if (typeof(T) == typeof(ReadOnlyMemory<byte>))
        {
            return new StoredBytes(new ReadOnlySequence<byte>((ReadOnlyMemory<byte>)(object)value!));
        }

        if (typeof(T) == typeof(ReadOnlySequence<byte>))
        {
            return new StoredBytes((ReadOnlySequence<byte>)(object)value!);
        }

        if (typeof(T) == typeof(string))
        {
            ArgumentNullException.ThrowIfNull(value);
        }

        var writer = new PooledWriter();
        try
        {
            uint flags = serializer.Serialize(value, writer);
            return new StoredBytes(new ReadOnlySequence<byte>(writer.Written), flags, writer);
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>Gives the array back.</summary>
    public void Dispose() => _writer?.Dispose();
}
