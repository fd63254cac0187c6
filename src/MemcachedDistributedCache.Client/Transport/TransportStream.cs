namespace MemcachedDistributedCache.Transport;

/// <summary>The stream that <see cref="System.Net.Security.SslStream"/> needs, on a connection; and the first byte that came.</summary>
internal abstract class TransportStream : Stream
{
    /// <summary>The first byte that the peer sent; null while nothing came.</summary>
    public byte? FirstByte { get; private set; }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Notes what came.</summary>
    protected int Note(ReadOnlySpan<byte> received)
    {
        if (FirstByte is null && !received.IsEmpty)
        {
            FirstByte = received[0];
        }

        return received.Length;
    }
}

/// <summary>On a connection whose users await. Cancellation is the connection's end, as everywhere.</summary>
internal sealed class AsyncTransportStream(IAsyncTransport transport) : TransportStream
{
    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        => FirstByte is null ? ReadFirstAsync(buffer) : transport.ReceiveAsync(buffer);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        => transport.SendAsync(buffer);

    private async ValueTask<int> ReadFirstAsync(Memory<byte> buffer)
    {
        int count = await transport.ReceiveAsync(buffer).ConfigureAwait(false);
        return Note(buffer.Span[..count]);
    }
}

/// <summary>On a connection whose users block. Until the handshake is over a read has a limit, since nobody else looks after it.</summary>
internal sealed class BlockingTransportStream(IBlockingTransport transport, Func<TimeSpan> left) : TransportStream
{
    /// <summary>The handshake is over.</summary>
    public bool IsOpen { get; set; }

    /// <summary>When the send under way had to wait for the first time; 0 while it has not.</summary>
    public long WaitingSince { get; set; }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
        => IsOpen || (left() is { Ticks: > 0 } rest && transport.WaitToReceive(rest))
            ? Note(buffer[..transport.Receive(buffer)])
            : throw new TimeoutException("Nothing was received within the limit of the handshake.");

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        long waitingSince = WaitingSince;
        try
        {
            transport.Send(buffer, ref waitingSince);
        }
        finally
        {
            WaitingSince = waitingSince;
        }
    }
}
