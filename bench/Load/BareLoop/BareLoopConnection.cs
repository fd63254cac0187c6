using System.Buffers.Text;

namespace MemcachedDistributedCache.Load.Fence;

/// <summary>Who sends what was gathered.</summary>
internal enum Flush
{
    /// <summary>The caller that finds nobody sending.</summary>
    Inline,

    /// <summary>A work item of the pool, so that what others ask meanwhile goes along.</summary>
    Pool,
}

/// <summary>
/// One connection: requests gathered under a lock, replies matched in order. No deadlines, no cancellation, no bounds, no tokens checked:
/// what it lacks is what a cache has to pay for.
/// </summary>
internal sealed class BareLoopConnection : IThreadPoolWorkItem, IDisposable
{
    private const int MaximumPending = 1024;
    private const int DirectThreshold = 4 * 1024;

    private readonly Lock _lock = new();
    private readonly BareLoopTransport _transport;
    private readonly Flush _flush;
    private readonly BareLoopOperation[] _pending = new BareLoopOperation[MaximumPending];
    private readonly byte[] _buffer = new byte[64 * 1024];
    private BareLoopBatch _gathering = new();
    private BareLoopBatch _sending = new();
    private uint _enqueued;
    private uint _dequeued;
    private bool _hasSender;
    private int _start;
    private int _end;
    private byte[]? _value;
    private int _received;

    private BareLoopConnection(BareLoopTransport transport, Flush flush)
    {
        _transport = transport;
        _flush = flush;
    }

    /// <summary>Connects and begins to read.</summary>
    public static async Task<BareLoopConnection> ConnectAsync(Way way, string node, Flush flush)
    {
        var connection = new BareLoopConnection(await way.ConnectAsync(node), flush);
        _ = connection.ReadAsync();
        return connection;
    }

    /// <summary>Reads a value.</summary>
    public ValueTask<byte[]?> GetAsync(byte[] key, BareLoopOperation operation)
    {
        operation.Reset();
        bool send;
        lock (_lock)
        {
            _gathering.AddGet(key, _enqueued);
            send = Enqueue(operation);
        }

        if (send)
        {
            Send();
        }

        return operation.Task;
    }

    /// <summary>Stores a value.</summary>
    public ValueTask<byte[]?> SetAsync(byte[] key, byte[] value, BareLoopOperation operation)
    {
        operation.Reset();
        bool send;
        lock (_lock)
        {
            _gathering.AddSet(key, value, _enqueued);
            send = Enqueue(operation);
        }

        if (send)
        {
            Send();
        }

        return operation.Task;
    }

    /// <inheritdoc/>
    public void Dispose() => _transport.Dispose();

    void IThreadPoolWorkItem.Execute() => _ = SendAsync();

    private bool Enqueue(BareLoopOperation operation)
    {
        _pending[_enqueued++ % MaximumPending] = operation;
        bool send = !_hasSender;
        _hasSender = true;
        return send;
    }

    private void Send()
    {
        if (_flush == Flush.Inline)
        {
            _ = SendAsync();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    private async Task SendAsync()
    {
        while (true)
        {
            lock (_lock)
            {
                if (_gathering.IsEmpty)
                {
                    _hasSender = false;
                    return;
                }

                (_gathering, _sending) = (_sending, _gathering);
            }

            await _sending.SendAsync(_transport);
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            while (true)
            {
                bool direct = _value is not null && _start == _end && _value.Length - _received >= DirectThreshold;
                int count = await _transport.ReceiveAsync(direct ? _value.AsMemory(_received) : Room());
                if (count == 0)
                {
                    throw new InvalidOperationException("The server closed the connection.");
                }

                if (direct)
                {
                    _received += count;
                }
                else
                {
                    _end += count;
                }

                while (ReadReply())
                {
                }
            }
        }
        catch (Exception exception)
        {
            while (_dequeued != Volatile.Read(ref _enqueued))
            {
                Dequeue().Fail(exception);
            }
        }
    }

    private Memory<byte> Room()
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }
        else if (_end == _buffer.Length)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        return _buffer.AsMemory(_end);
    }

    private bool ReadReply()
    {
        ReadOnlySpan<byte> bytes = _buffer.AsSpan(_start, _end - _start);
        if (_value is null)
        {
            int line = bytes.IndexOf((byte)'\n');
            if (line < 0)
            {
                return false;
            }

            _start += line + 1;
            if (bytes[0] != 'V')
            {
                // HD and EN; anything else means that the loop itself is wrong.
                Dequeue().Complete(bytes[0] is (byte)'H' or (byte)'E' ? null : throw new InvalidOperationException("An unexpected reply."));
                return true;
            }

            if (!Utf8Parser.TryParse(bytes[3..], out int length, out _))
            {
                throw new InvalidOperationException("An unexpected reply.");
            }

            _value = GC.AllocateUninitializedArray<byte>(length);
            _received = 0;
            bytes = bytes[(line + 1)..];
        }

        int part = Math.Min(bytes.Length, _value.Length - _received);
        bytes[..part].CopyTo(_value.AsSpan(_received));
        _received += part;
        _start += part;
        if (_received < _value.Length || bytes.Length - part < 2)
        {
            return false;
        }

        _start += 2;
        byte[] value = _value;
        _value = null;
        Dequeue().Complete(value);
        return true;
    }

    private BareLoopOperation Dequeue() => _pending[_dequeued++ % MaximumPending];
}
