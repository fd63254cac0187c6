using System.Runtime.InteropServices;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>The identity of a call: two calls with the same one may share a single flight.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct SingleFlightKey(string Key, HybridCacheEntryFlags Flags, Type Type);

/// <summary>
/// The changes that this process has made so far, as a count. A single flight that began before a change may bring what must not be seen any more.
/// </summary>
/// <param name="Version">The key's number in the local cache.</param>
/// <param name="Invalidations">How many tags have been invalidated.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ChangeCounts(long Version, int Invalidations);

/// <summary>
/// The work that all callers of a key in this process share. Its token is cancelled when the last of them has left, unless the work
/// has cut itself loose from them. Most single flights have one caller and end with a value of the cluster; what only others need
/// is made when it is asked for.
/// </summary>
/// <param name="key">The key that it is for.</param>
/// <param name="began">The count of changes when it began.</param>
/// <param name="mayEndEarly">Whether <see cref="CompleteEarly"/> may be called.</param>
#pragma warning disable CA1001 // The source has no timer and no wait handle, so there is nothing to free; disposing it would race with a caller who leaves.
internal sealed class SingleFlight<T>(SingleFlightKey key, ChangeCounts began, bool mayEndEarly) : ISingleFlight
#pragma warning restore CA1001
{
    private readonly Lock _lock = new();
    private readonly string _key = key.Key;
    private readonly HybridCacheEntryFlags _flags = key.Flags;
    private TaskCompletionSource<Outcome<T>>? _shared = mayEndEarly ? NewSource() : null;
    private CancellationTokenSource? _source;
    private Task<Outcome<T>>? _work;
    private int _callers = 1;
    private bool _isClosed;
    private bool _isAbandoned;
    private bool _hasEnded;
    private int _startingThread;

    /// <summary>The key that it is for.</summary>
    public SingleFlightKey Key => new(_key, _flags, typeof(T));

    /// <summary>The count of changes when it began.</summary>
    public ChangeCounts Began => began;

    /// <summary>It makes a key for a batch, whose factory is another than that of who asks for the key alone.</summary>
    public bool IsOfBatch { get; init; }

    /// <summary>The token of the caller who began the single flight, in whose context it runs.</summary>
    public CancellationToken FirstCaller { get; init; }

    /// <summary>The work has ended.</summary>
    public bool HasEnded => Volatile.Read(ref _hasEnded);

    /// <summary>Nobody waits any more.</summary>
    public bool IsAbandoned => Volatile.Read(ref _isAbandoned);

    /// <summary>Cancelled when nobody waits any more.</summary>
    public CancellationToken Token
    {
        get
        {
            lock (_lock)
            {
                return _isAbandoned && _source is null ? new CancellationToken(canceled: true) : (_source ??= new CancellationTokenSource()).Token;
            }
        }
    }

    /// <summary>The work still runs on the thread of the caller who began it, whom a factory must not hold up.</summary>
    public bool IsOnCallersThread => Volatile.Read(ref _startingThread) == Environment.CurrentManagedThreadId;

    /// <inheritdoc/>
    public void Abort()
    {
        CancellationTokenSource? source;
        lock (_lock)
        {
            _isAbandoned = true;
            source = _source;
        }

        // Not on the leaving caller's time: what a factory has hung on its token is not known.
        _ = source?.CancelAsync();
    }

    /// <summary>Notes that the work has ended, before the single flight is taken out of its table.</summary>
    public void End() => Volatile.Write(ref _hasEnded, true);

    /// <summary>Takes one more caller in; false if it is over.</summary>
    public bool TryJoin()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return false;
            }

            _shared ??= NewSource();
            _callers++;
            return true;
        }
    }

    /// <summary>Runs the work, whose result or exception goes to all callers.</summary>
    public void Start(ISingleFlightWork<T> work)
    {
        Volatile.Write(ref _startingThread, Environment.CurrentManagedThreadId);
        _work = RunAsync(work);
        Volatile.Write(ref _startingThread, 0);
        if (mayEndEarly)
        {
            Observe(_work);
        }
    }

    /// <summary>Lets a caller who has joined leave again.</summary>
    public void Forsake() => Leave();

    /// <summary>
    /// The work may have failed for its first caller's sake only: whoever hung up takes what belongs to the request with
    /// it, such as the request's own token or scoped services, though the others still wait. It is their turn then.
    /// </summary>
    /// <param name="exception">What the work ended with.</param>
    /// <param name="isFirst">Whether this caller has not tried again before.</param>
    public bool MayHaveFailedForFirstCaller(Exception exception, bool isFirst)
        => !IsAbandoned
            && (FirstCaller.IsCancellationRequested || (isFirst && exception is OperationCanceledException { InnerException: not TimeoutException }));

    /// <summary>Gives the callers their result before the work is at its end. Nobody waits for it then, and nobody can cancel it.</summary>
    public void CompleteEarly(Outcome<T> outcome)
    {
        if (Close())
        {
            _shared!.TrySetResult(outcome);
        }
    }

    /// <summary>
    /// The result for the caller who began the single flight: the work's own task where that can be, which spares a switch of
    /// threads.
    /// </summary>
    public Task<Outcome<T>> WaitFirstAsync(CancellationToken cancellationToken)
        => WaitAsync(mayEndEarly ? _shared!.Task : _work!, cancellationToken);

    /// <summary>The result, for one who joined.</summary>
    public Task<Outcome<T>> WaitAsync(CancellationToken cancellationToken) => WaitAsync(_shared!.Task, cancellationToken);

    private static TaskCompletionSource<Outcome<T>> NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Everybody may leave, and then an exception is nobody's.</summary>
    private static void Observe(Task work)
        => _ = work.ContinueWith(
            static ended => _ = ended.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);

    private Task<Outcome<T>> WaitAsync(Task<Outcome<T>> result, CancellationToken cancellationToken)
        => cancellationToken.CanBeCanceled && !result.IsCompleted ? WaitOrLeaveAsync(result, cancellationToken) : result;

    private async Task<Outcome<T>> WaitOrLeaveAsync(Task<Outcome<T>> result, CancellationToken cancellationToken)
    {
        try
        {
            return await result.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !result.IsCompleted)
        {
            Observe(result);
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

        Abort();
    }

    private async Task<Outcome<T>> RunAsync(ISingleFlightWork<T> work)
    {
        try
        {
            Outcome<T> outcome = await work.RunAsync(this).ConfigureAwait(false);
            Close();
            work.Ended(this);
            _shared?.TrySetResult(outcome);
            return outcome;
        }
        catch (Exception exception)
        {
            Close();
            work.Ended(this);
            if (_shared is { } shared)
            {
                shared.TrySetException(exception);
                _ = shared.Task.Exception;
            }

            throw;
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

/// <summary>The work of a single flight.</summary>
internal interface ISingleFlightWork<T>
{
    /// <summary>Does it.</summary>
    Task<Outcome<T>> RunAsync(SingleFlight<T> singleFlight);

    /// <summary>The work is done, and nobody can join any more.</summary>
    void Ended(SingleFlight<T> singleFlight);
}

/// <summary>A single flight of whatever type.</summary>
internal interface ISingleFlight
{
    /// <summary>Cancels the work.</summary>
    void Abort();
}
