using System.Buffers;

namespace MemcachedDistributedCache.Client;

/// <summary>Collects what a serializer writes in an array of the shared pool, up to a limit.</summary>
internal sealed class PooledWriter : IBufferWriter<byte>, IDisposable
{
    private const int FirstLength = 1024;
    private byte[] _array = ArrayPool<byte>.Shared.Rent(FirstLength);

    /// <summary>How many bytes may be written.</summary>
    public long MaximumLength { get; set; } = Array.MaxLength;

    /// <summary>How many bytes have been written.</summary>
    public int Length { get; private set; }

    /// <summary>A serializer wanted to write more than the limit.</summary>
    public bool IsOverLimit { get; private set; }

    /// <summary>The written bytes.</summary>
    public Memory<byte> Written => _array.AsMemory(0, Length);

    /// <summary>Takes back what was written behind a length.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <inheritdoc/>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _array.Length - Length);
        if (count > MaximumLength - Length)
        {
            throw OverLimit();
        }

        Length += count;
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _array.AsMemory(Length);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _array.AsSpan(Length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        byte[] array = _array;
        _array = [];
        if (array.Length != 0)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }

    private InvalidOperationException OverLimit()
    {
        IsOverLimit = true;
        return new InvalidOperationException($"The value takes more than {MaximumLength} bytes.");
    }

    private void Reserve(int sizeHint)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        int needed = Math.Max(1, sizeHint);
        if (_array.Length - Length >= needed)
        {
            return;
        }

        // A hint may be larger than what is then written; only one that is beyond reason is refused here.
        if (needed > (Math.Max(MaximumLength, FirstLength) * 2) + (64 * 1024) || (long)Length + needed > Array.MaxLength)
        {
            throw OverLimit();
        }

        byte[] larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Array.MaxLength, Math.Max((long)Length + needed, Length * 2L)));
        _array.AsSpan(0, Length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_array);
        _array = larger;
    }
}
