using System.Diagnostics;

namespace MemcachedDistributedCache.Transport;

/// <summary>
/// The right to run the application's TLS callbacks for one server: one handshake at a time has it. A callback that never returns keeps
/// its thread for ever, and so it keeps the turn: further attempts fail at once and take no thread. Connections whose users await and
/// those whose users block have turns of their own, because the latter must not wait for what needs the thread pool. Thread-safe.
/// </summary>
#pragma warning disable CA1001 // The semaphore has no wait handle unless asked for one, so there is nothing to free.
internal sealed class CallbackTurn
#pragma warning restore CA1001
{
    private readonly SemaphoreSlim _turn = new(1);
    private string? _running;
    private long _takenAt;
    private long _limit;

    /// <summary>The name of the callback that runs now; null where none does.</summary>
    public string? Running => Volatile.Read(ref _running);

    /// <summary>Throws if a callback runs whose own attempt is over by now.</summary>
    /// <exception cref="TlsException">It does. The message names the callback.</exception>
    public void ThrowIfHeld()
    {
        if (Running is { } callback && Stopwatch.GetElapsedTime(Volatile.Read(ref _takenAt)).Ticks > Volatile.Read(ref _limit))
        {
            // Without a number that grows: the log tells a reason once.
            throw new TlsException(
                $"{callback} was called for another connection to it and has not returned, so it is not called again. Correct the callback that Tls.ConfigureAuthentication was given: it must return within ConnectTimeout");
        }
    }

    /// <summary>Waits for the turn. Ends with the token.</summary>
    /// <param name="limit">How long the handshake may take; a callback that runs longer holds the turn.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task TakeAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        Begin(limit);
    }

    /// <summary>The blocking twin of <see cref="TakeAsync"/>, which waits within the limit.</summary>
    /// <exception cref="TimeoutException">The turn did not come.</exception>
    public void Take(TimeSpan limit)
    {
        if (!_turn.Wait(limit))
        {
            throw new TimeoutException("Another handshake with the server has not ended.");
        }

        Begin(limit);
    }

    /// <summary>Gives the turn to the next one.</summary>
    public void Release() => _turn.Release();

    /// <summary>Runs a callback; only for who has the turn.</summary>
    public T Run<T>(string name, Func<T> callback)
    {
        Volatile.Write(ref _running, name);
        try
        {
            return callback();
        }
        finally
        {
            Volatile.Write(ref _running, null);
        }
    }

    private void Begin(TimeSpan limit)
    {
        Volatile.Write(ref _limit, limit.Ticks);
        Volatile.Write(ref _takenAt, Stopwatch.GetTimestamp());
    }
}
