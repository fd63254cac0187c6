namespace MemcachedDistributedCache;

/// <summary>
/// A lock that is held: renews it, and tells when it is lost. The lease runs from before its request was sent, by a monotonic clock, and
/// ends for its holder before it can end for the server. A timer ends it, since the renewal itself may hang. Thread-safe.
/// </summary>
#pragma warning disable CA1001 // The sources have no timer and no handle; callers may have their tokens for longer than the lock lives.
internal sealed class LockLease
#pragma warning restore CA1001
{
    private const int Attempts = 3;

    private readonly LockServer _server;
    private readonly string _owner;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _lost = new();
    private readonly CancellationTokenSource _released = new();
    private readonly ITimer _end;
    private long _since;
    private MemcachedCas _cas;

    /// <summary>Begins to renew.</summary>
    public LockLease(LockServer server, string owner, ulong number, long since, MemcachedCas cas)
    {
        (_server, _owner, _since, _cas) = (server, owner, since, cas);
        Number = number;
        Lost = _lost.Token;

        // A renewal belongs to nobody's trace and to nobody's culture.
        AsyncFlowControl? flow = ExecutionContext.IsFlowSuppressed() ? null : ExecutionContext.SuppressFlow();
        try
        {
            _end = server.Time.CreateTimer(static state => ((LockLease)state!).EndIfDue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _ = Task.Run(RenewAsync);
        }
        finally
        {
            flow?.Undo();
        }

        EndIfDue();
    }

    /// <summary>The fencing number.</summary>
    public ulong Number { get; }

    /// <summary>Cancelled when the lock is lost.</summary>
    public CancellationToken Lost { get; }

    /// <summary>Ends the renewal, and tells whether this call did.</summary>
    public bool Stop()
    {
        lock (_lock)
        {
            if (_released.IsCancellationRequested)
            {
                return false;
            }

            _ = _released.CancelAsync();
            _end.Dispose();
            return true;
        }
    }

    /// <summary>Ends the renewal and gives the lock back.</summary>
    /// <param name="server">How the caller waits.</param>
    public async Task ReleaseAsync(LockServer server)
    {
        if (Stop())
        {
            MemcachedCas cas;
            lock (_lock)
            {
                cas = _cas;
            }

            await server.ReleaseAsync(_owner, cas).ConfigureAwait(false);
        }
    }

    private void EndIfDue()
    {
        lock (_lock)
        {
            if (_released.IsCancellationRequested)
            {
                return;
            }

            TimeSpan left = _server.Options.OwnLease - _server.Time.GetElapsedTime(_since);
            if (left > TimeSpan.Zero)
            {
                // Timers count whole milliseconds, and one that is early would have to be set again.
                _end.Change(left + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
                return;
            }
        }

        Lose();
    }

    // What the application has hung on the token runs on the pool: this may be a timer's thread.
    private void Lose()
    {
        lock (_lock)
        {
            // A renewal may find nothing because the lock is being released.
            if (!_released.IsCancellationRequested)
            {
                _ = _lost.CancelAsync();
            }
        }
    }

    private async Task RenewAsync()
    {
        TimeSpan pause = _server.Options.EffectiveRenewalInterval;
        while (true)
        {
            await Task.Delay(pause, _server.Time, _released.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_released.IsCancellationRequested || _lost.IsCancellationRequested)
            {
                return;
            }

            bool? isRenewed;
            try
            {
                isRenewed = await RenewOnceAsync().ConfigureAwait(false);
            }
            catch (ObjectDisposedException)
            {
                return; // The client has been disposed. The timer ends the lease.
            }

            if (isRenewed == false)
            {
                Lose();
                return;
            }

            pause = _server.Options.EffectiveRenewalInterval / (isRenewed == true ? 1 : 4);
        }
    }

    /// <summary>Renews the lock: true; false where it is lost; null where no answer tells.</summary>
    private async ValueTask<bool?> RenewOnceAsync()
    {
        MemcachedCas cas = _cas;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            if (cas.IsKnown)
            {
                long since = _server.Time.GetTimestamp();
                MemcachedResult renewed = await _server.RenewAsync(_owner, cas).ConfigureAwait(false);
                switch (renewed.Outcome)
                {
                    case MemcachedOutcome.Success:
                        Extend(since, renewed.Cas);
                        return true;
                    case MemcachedOutcome.NotFound:
                        return false;
                    case MemcachedOutcome.Conflict or MemcachedOutcome.Unknown:
                        break;
                    default:
                        return null;
                }
            }

            // A conflict may be with somebody else, with a renewal whose answer was lost, or with a connection that has ended.
            MemcachedResult<MemcachedItem<string>> read = await _server.ReadAsync().ConfigureAwait(false);
            switch (read.Outcome)
            {
                case MemcachedOutcome.Success when read.Value.Value == _owner:
                    cas = read.Value.Cas;
                    break;
                case MemcachedOutcome.Success or MemcachedOutcome.NotFound or MemcachedOutcome.Unreadable:
                    return false;
                default:
                    return null;
            }
        }

        return null;
    }

    private void Extend(long since, MemcachedCas cas)
    {
        lock (_lock)
        {
            (_since, _cas) = (since, cas);
        }
    }
}
