namespace MemcachedDistributedCache.Embedded.Proxy;

/// <summary>The cause with which a relay ends.</summary>
internal enum RelayEnd
{
    SenderFinished,
    Cut,
    Reset,
}

/// <summary>Carries one direction of one connection through the fault in force.</summary>
internal sealed class FaultRelay(Stream from, Stream to, Func<Fault, StreamFault> direction, FaultSwitch faults, TimeProvider time, Action<int> count)
{
    private const int PieceBytes = 64 * 1024;

    private FaultState? _state;
    private long _taken;
    private long _sent;
    private bool _inserted;

    public async Task<RelayEnd> RunAsync(CancellationToken closed)
    {
        byte[] buffer = new byte[PieceBytes];
        while (true)
        {
            int read = await from.ReadAsync(buffer, closed).ConfigureAwait(false);
            if (read == 0)
            {
                return RelayEnd.SenderFinished;
            }

            if (await ForwardAsync(buffer.AsMemory(0, read), closed).ConfigureAwait(false) is { } end)
            {
                return end;
            }
        }
    }

    private async Task<RelayEnd?> ForwardAsync(Memory<byte> bytes, CancellationToken closed)
    {
        long arrived = time.GetTimestamp();
        while (bytes.Length > 0)
        {
            StreamFault fault = await HoldAsync(arrived, closed).ConfigureAwait(false);
            int size = fault.DripBytes > 0 ? Math.Min(fault.DripBytes, bytes.Length) : bytes.Length;
            if (await SendAsync(fault, Spoil(fault, bytes[..size]), closed).ConfigureAwait(false) is { } end)
            {
                return end;
            }

            bytes = bytes[size..];
            if (fault.DripBytes > 0)
            {
                await WaitAsync(fault.DripInterval, closed).ConfigureAwait(false);
            }
        }

        return null;
    }

    /// <summary>Waits out stall and delay, looking afresh whenever the fault is replaced; returns the fault to pass under.</summary>
    private async Task<StreamFault> HoldAsync(long arrived, CancellationToken closed)
    {
        while (true)
        {
            FaultState state = faults.Current;
            StreamFault fault = direction(state.Fault);
            if (_state != state)
            {
                _state = state;
                _taken = 0;
                _sent = 0;
                _inserted = false;
            }

            TimeSpan left = fault.Stall ? Timeout.InfiniteTimeSpan : fault.Delay - time.GetElapsedTime(arrived);
            if (!fault.Stall && left <= TimeSpan.Zero)
            {
                return fault;
            }

            await WaitAsync(left, closed).ConfigureAwait(false);
        }
    }

    private async Task WaitAsync(TimeSpan wait, CancellationToken closed)
    {
        CancellationToken replaced = _state!.Replaced;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(closed, replaced);
        try
        {
            await Task.Delay(wait, time, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!closed.IsCancellationRequested)
        {
            // Another fault is in force: the caller looks again.
        }
    }

    private ReadOnlyMemory<byte> Spoil(StreamFault fault, Memory<byte> bytes)
    {
        if (!fault.Replace.IsEmpty)
        {
            for (int i = 0; i < bytes.Length; i++)
            {
                bytes.Span[i] = fault.Replace.Span[(int)((_taken + i) % fault.Replace.Length)];
            }
        }

        if (fault.CorruptByteAt is { } at && at >= _taken && at < _taken + bytes.Length)
        {
            bytes.Span[(int)(at - _taken)] ^= 0xFF;
        }

        _taken += bytes.Length;
        ReadOnlyMemory<byte> spoilt = fault.Duplicate ? (byte[])[.. bytes.Span, .. bytes.Span] : bytes;
        if (!fault.Insert.IsEmpty && !_inserted)
        {
            spoilt = (byte[])[.. fault.Insert.Span, .. spoilt.Span];
        }

        _inserted = true;
        return spoilt;
    }

    private async Task<RelayEnd?> SendAsync(StreamFault fault, ReadOnlyMemory<byte> bytes, CancellationToken closed)
    {
        bool cut = fault.CutAfterBytes <= _sent + bytes.Length;
        if (cut)
        {
            bytes = bytes[..(int)Math.Max(0, fault.CutAfterBytes!.Value - _sent)];
        }

        _sent += bytes.Length;
        if (bytes.Length > 0)
        {
            await to.WriteAsync(bytes, closed).ConfigureAwait(false);
            count(bytes.Length);
        }

        return cut ? fault.ResetOnCut ? RelayEnd.Reset : RelayEnd.Cut : null;
    }
}
