using System.Buffers.Text;

namespace MemcachedDistributedCache.Protocol;

/// <summary>Writes the words and numbers of a request, one behind the other, into a span that has room for them.</summary>
internal ref struct LineWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;
    private int _length;

    /// <summary>Writes bytes as they are.</summary>
    public void Put(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_destination[_length..]);
        _length += bytes.Length;
    }

    /// <summary>Writes a number in decimal digits.</summary>
    public void Put(ulong number)
    {
        Utf8Formatter.TryFormat(number, _destination[_length..], out int written);
        _length += written;
    }

    /// <inheritdoc cref="Put(ulong)"/>
    public void Put(uint number)
    {
        Utf8Formatter.TryFormat(number, _destination[_length..], out int written);
        _length += written;
    }

    /// <inheritdoc cref="Put(ulong)"/>
    public void Put(int number)
    {
        Utf8Formatter.TryFormat(number, _destination[_length..], out int written);
        _length += written;
    }

    /// <summary>Ends the line, and tells how many bytes have been written in all.</summary>
    public int End()
    {
        Put("\r\n"u8);
        return _length;
    }
}
