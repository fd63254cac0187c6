using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>What makes two calls the same: they may share one flight.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FlightKey(string Key, HybridCacheEntryFlags Flags, Type Type);

/// <summary>
/// The work that all callers of a key in this process share. Its token is cancelled when the last of them has left, unless the work has cut itself loose
/// from them.
/// </summary>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so there is nothing to free; disposing it would race with a caller who leaves.
internal sealed class Flight<T>(long version, int invalidations) : IFlight
#pragma warning restore CA1001
{
    private readonly TaskCompletionSource<Outcome<T>> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _abandoned = new();
    private readonly Lock _lock = new();
    private int _callers = 1;
    private bool _isClosed;
    private int _startingThread;

    /// <summary>The key's number in the process's own memory from before anything was asked.</summary>
    public long Version => version;

    /// <summary>How many invalidations of tags there had been by then.</summary>
    public int Invalidations => invalidations;

    /// <summary>Cancelled when nobody waits any more.</summary>
    public CancellationToken Token => _abandoned.Token;

    /// <summary>Whether the work still runs on the thread of the caller who began it, whom a factory must not hold up.</summary>
    public bool IsOnCallersThread => Volatile.Read(ref _startingThread) == Environment.CurrentManagedThreadId;

    /// <inheritdoc/>
    public void Abort() => _ = _abandoned.CancelAsync();

    /// <summary>Takes one more caller in; false if it is over.</summary>
    public bool TryJoin()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return false;
            }

            _callers++;
            return true;
        }
    }

    /// <summary>Runs the work, whose result or exception goes to all callers.</summary>
    public void Start(Func<Flight<T>, Task<Outcome<T>>> work, Action<Flight<T>> ended)
    {
        Volatile.Write(ref _startingThread, Environment.CurrentManagedThreadId);
        _ = RunAsync(work, ended);
        Volatile.Write(ref _startingThread, 0);
    }

    /// <summary>Gives the callers their result before the work is at its end. Nobody waits for it then, and nobody can cancel it.</summary>
    public void CompleteEarly(Outcome<T> outcome)
    {
        if (Close())
        {
            _done.TrySetResult(outcome);
        }
    }

    /// <summary>The result, for one caller.</summary>
    public Task<Outcome<T>> WaitAsync(CancellationToken cancellationToken)
        => cancellationToken.CanBeCanceled && !_done.Task.IsCompleted ? WaitOrLeaveAsync(cancellationToken) : _done.Task;

    private async Task<Outcome<T>> WaitOrLeaveAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _done.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !_done.Task.IsCompleted)
        {
            Leave();
            throw;
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            if (--_callers != 0 || _isClosed)
            {
                return;
            }

            _isClosed = true;
        }

        // Not on the leaving caller's time: what a factory has hung on its token is not known.
        Abort();
    }

    private async Task RunAsync(Func<Flight<T>, Task<Outcome<T>>> work, Action<Flight<T>> ended)
    {
        try
        {
            Outcome<T> outcome = await work(this).ConfigureAwait(false);
            Close();
            ended(this);
            _done.TrySetResult(outcome);
        }
        catch (Exception exception)
        {
            Close();
            ended(this);
            _done.TrySetException(exception);

            // Everybody may have left.
            _ = _done.Task.Exception;
        }
    }

    /// <summary>Lets nobody in any more; false if nobody was let in before.</summary>
    private bool Close()
    {
        lock (_lock)
        {
            bool first = !_isClosed;
            _isClosed = true;
            return first;
        }
    }
}

/// <summary>A flight of whatever type.</summary>
internal interface IFlight
{
    /// <summary>Cancels the work.</summary>
    void Abort();
}

/// <summary>The flights under way.</summary>
internal sealed class FlightTable
{
    private readonly ConcurrentDictionary<FlightKey, IFlight> _flights = new();

    /// <summary>How many there are.</summary>
    public int Count => _flights.Count;

    /// <summary>
    /// Joins the flight of a key, or puts a new one in its place: where there is none, or where the one there is began before the key was changed or a tag
    /// invalidated by this process, so that it may bring what must not be seen any more.
    /// </summary>
    /// <returns>The flight, and whether the caller has to start it.</returns>
    public (Flight<T> Flight, bool IsNew) Enter<T>(FlightKey key, long version, int invalidations)
    {
        Flight<T>? created = null;
        while (true)
        {
            if (_flights.TryGetValue(key, out IFlight? found))
            {
                var existing = (Flight<T>)found;
                if (existing.Version == version && existing.Invalidations == invalidations && existing.TryJoin())
                {
                    return (existing, false);
                }

                created ??= new Flight<T>(version, invalidations);
                if (_flights.TryUpdate(key, created, existing))
                {
                    return (created, true);
                }
            }
            else
            {
                created ??= new Flight<T>(version, invalidations);
                if (_flights.TryAdd(key, created))
                {
                    return (created, true);
                }
            }
        }
    }

    /// <summary>Takes a flight out that has ended.</summary>
    public void Leave<T>(FlightKey key, Flight<T> flight) => _flights.TryRemove(new KeyValuePair<FlightKey, IFlight>(key, flight));

    /// <summary>Cancels all of them.</summary>
    public void AbortAll()
    {
        foreach (IFlight flight in _flights.Values)
        {
            flight.Abort();
        }
    }
}
