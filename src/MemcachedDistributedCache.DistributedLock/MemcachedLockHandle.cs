using Medallion.Threading;

namespace MemcachedDistributedCache;

/// <summary>
/// A lock that is held. Disposing it releases the lock. A handle that is forgotten is no longer renewed once it has been collected, and
/// its lock ends with its lease.
/// </summary>
public sealed class MemcachedLockHandle : IDistributedSynchronizationHandle
{
    private readonly LockLease _lease;
    private readonly LockServer _awaited;
    private readonly LockServer _blocking;

    internal MemcachedLockHandle(LockLease lease, LockServer awaited, LockServer blocking)
        => (_lease, _awaited, _blocking) = (lease, awaited, blocking);

    /// <summary>Ends the renewal.</summary>
#pragma warning disable MA0055 // The renewal does not hold the handle. Without a finalizer a forgotten handle would keep its lock for ever.
    ~MemcachedLockHandle() => _lease.Stop();
#pragma warning restore MA0055

    /// <summary>
    /// A number that is larger for each later holder of the lock. What the lock guards can refuse whoever comes with a smaller number
    /// than the largest seen, and must do so where two holders would do damage. A counter that the server has lost begins anew from the
    /// clock, in microseconds, so that the number still grows unless the clocks of two processes differ by more than the loss is ago.
    /// </summary>
    public ulong FencingToken => _lease.Number;

    /// <summary>
    /// Cancelled when the lock is lost: a renewal has found somebody else's lock or none, or no renewal was answered for as long as the
    /// lease lasts. Releasing the lock does not cancel it.
    /// </summary>
    public CancellationToken HandleLostToken => _lease.Lost;

    /// <summary>Releases the lock, if it is still held. A second call does nothing.</summary>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        _lease.ReleaseAsync(_blocking).GetAwaiter().GetResult();
    }

    /// <inheritdoc cref="Dispose"/>
    /// <returns>Complete when the server has answered, or has not within a few operation time-outs of the client.</returns>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _lease.ReleaseAsync(_awaited).ConfigureAwait(false);
    }
}
