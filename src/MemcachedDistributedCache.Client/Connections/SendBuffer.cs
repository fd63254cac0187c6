using System.Buffers;

namespace MemcachedDistributedCache.Connections;

/// <summary>
/// The bytes that wait for the next send: small requests gathered in one array, large ones as arrays of their own. All arrays
/// come from the shared pool and go back when the buffer is cleared.
/// </summary>
internal sealed class SendBuffer
{
    private const int SmallestArray = 4 * 1024;
    private const int LargestArray = 128 * 1024;

    private readonly List<ArraySegment<byte>> _full = [];
    private byte[]? _array;
    private int _used;
    private int _nextLength = SmallestArray;

    /// <summary>How many bytes wait.</summary>
    public int Length { get; private set; }

    /// <summary>Room for at least <paramref name="length"/> bytes.</summary>
    public Span<byte> GetSpan(int length)
    {
        if (_array is null || _array.Length - _used < length)
        {
            CloseArray();
            _array = ArrayPool<byte>.Shared.Rent(Math.Max(length, _nextLength));
            _nextLength = Math.Min(LargestArray, _array.Length * 2);
        }

        return _array.AsSpan(_used);
    }

    /// <summary>Counts bytes written to the last span.</summary>
    public void Advance(int length)
    {
        _used += length;
        Length += length;
    }

    /// <summary>Adds a rented array as it is; it belongs to the buffer from now on.</summary>
    public void AddRented(byte[] array, int length)
    {
        CloseArray();
        _full.Add(new ArraySegment<byte>(array, 0, length));
        Length += length;
    }

    /// <summary>How many pieces there are to send.</summary>
    public int CloseAndCount()
    {
        CloseArray();
        return _full.Count;
    }

    /// <summary>One piece.</summary>
    public ReadOnlyMemory<byte> Piece(int index) => _full[index];

    /// <summary>
    /// Gives the arrays back. The next round starts with an array twice as large as this round's bytes, so that a somewhat larger
    /// batch still goes out in one packet; a long one's size is forgotten slowly.
    /// </summary>
    public void Clear()
    {
        _nextLength = Math.Clamp(Math.Max(Length * 2, _nextLength - (_nextLength / 8)), SmallestArray, LargestArray);
        CloseArray();
        foreach (ArraySegment<byte> piece in _full)
        {
            ArrayPool<byte>.Shared.Return(piece.Array!);
        }

        _full.Clear();
        Length = 0;
    }

    private void CloseArray()
    {
        if (_array is not null)
        {
            _full.Add(new ArraySegment<byte>(_array, 0, _used));
            _array = null;
            _used = 0;
        }
    }
}
