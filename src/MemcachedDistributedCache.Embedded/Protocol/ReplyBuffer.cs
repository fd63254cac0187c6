using System.Buffers.Text;
using System.Buffers;

namespace MemcachedDistributedCache.Embedded.Protocol;

/// <summary>
/// The replies that a connection has still to send. Many replies gather here and leave in one write. <see cref="Seal"/> marks what
/// memcached would have sent by now: some of its failures drop the replies gathered since, and so do ours.
/// </summary>
internal sealed class ReplyBuffer
{
    /// <summary>Past this many bytes the connection sends before it executes more.</summary>
    public const int HighWater = 64 * 1024;

    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(4096);
    private int _sealed;

    public int Length { get; private set; }

    public bool IsFull => Length >= HighWater;

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    public void Append(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Reserve(bytes.Length));

    public void Append(byte single) => Reserve(1)[0] = single;

    public void Append(ulong number)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(number, digits, out int count);
        Append(digits[..count]);
    }

    public void Append(string ascii) => System.Text.Encoding.ASCII.GetBytes(ascii, Reserve(ascii.Length));

    /// <summary>Appends a line and its line end.</summary>
    public void Line(ReadOnlySpan<byte> text)
    {
        Append(text);
        Append("\r\n"u8);
    }

    /// <summary>Takes back everything after <paramref name="length"/>.</summary>
    public void Truncate(int length) => Length = length;

    /// <summary>Writes over bytes that were appended before.</summary>
    public void Overwrite(int at, ReadOnlySpan<byte> bytes) => bytes.CopyTo(_bytes.AsSpan(at, bytes.Length));

    public void Seal() => _sealed = Length;

    public void DropUnsealed() => Length = _sealed;

    /// <summary>Everything was sent.</summary>
    public void Clear()
    {
        Length = 0;
        _sealed = 0;
        if (_bytes.Length > 4 * HighWater)
        {
            // One large value must not keep its megabyte for as long as the connection lives.
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = ArrayPool<byte>.Shared.Rent(4096);
        }
    }

    /// <summary>Gives the memory back; nothing may be appended after.</summary>
    public void Release()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        Length = 0;
    }

    private Span<byte> Reserve(int count)
    {
        if (_bytes.Length - Length < count)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, Length + count));
            _bytes.AsSpan(0, Length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }

        Span<byte> room = _bytes.AsSpan(Length, count);
        Length += count;
        return room;
    }
}
