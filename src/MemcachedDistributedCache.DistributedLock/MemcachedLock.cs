using Medallion.Threading;

namespace MemcachedDistributedCache;

/// <summary>
/// A lock between processes, on the memcached server that owns its name. It saves double work; it does not make double work impossible,
/// since a cache may evict the lock or restart: see <see cref="MemcachedLockHandle.FencingToken"/>. It is not reentrant, and callers who
/// wait are served in no order. Thread-safe.
/// <para>
/// An attempt that is under way is finished before a time-out or a cancellation counts; that takes a few operation time-outs of the
/// client where the server does not answer.
/// </para>
/// </summary>
public sealed class MemcachedLock : IDistributedLock
{
    private readonly LockServer _awaited;
    private readonly LockServer _blocking;

    /// <summary>Makes a lock. Nothing is sent yet.</summary>
    /// <param name="name">
    /// Any text that is not empty, which is the lock together with the client's namespace. Names that memcached does not take as they
    /// are, and those of more than 40 characters, are hashed.
    /// </param>
    /// <param name="client">
    /// The client. Its connections are used, and its options but for two: a lock does not fail over, and nothing is removed after a lost
    /// answer. A client of another make has to behave so by itself.
    /// </param>
    /// <param name="options">The options; they are copied. The defaults where there are none.</param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of its range.</exception>
    public MemcachedLock(string name, IMemcachedClient client, MemcachedLockOptions? options = null)
        : this(name, OnOwnNodes(client), options, TimeProvider.System)
    {
    }

    internal MemcachedLock(string name, IMemcachedClient client, MemcachedLockOptions? options, TimeProvider time)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        MemcachedLockOptions own = (options ?? new MemcachedLockOptions()).Checked();
        Name = name;
        _awaited = new LockServer(client, name, own, time, isBlocking: false);
        _blocking = new LockServer(client, name, own, time, isBlocking: true);
    }

    /// <summary>The name, as it was given.</summary>
    public string Name { get; }

    /// <summary>Takes the lock, if that can be done in time. Blocks the thread.</summary>
    /// <param name="timeout">How long to wait for another holder; not at all by default. <see cref="Timeout.InfiniteTimeSpan"/> for ever.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The lock; null where another holder had it all the time.</returns>
    /// <exception cref="MemcachedUnavailableException">The server gave no answer to the last attempt.</exception>
    /// <exception cref="MemcachedOutcomeException">The server cannot hold a lock, for want of memory for one.</exception>
    /// <exception cref="OperationCanceledException">The wait was ended.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The time-out is negative, and not infinite.</exception>
    public MemcachedLockHandle? TryAcquire(TimeSpan timeout = default, CancellationToken cancellationToken = default)
        => WaitAsync(_blocking, timeout, cancellationToken).GetAwaiter().GetResult();

    /// <summary>Takes the lock. Blocks the thread.</summary>
    /// <param name="timeout">How long to wait for another holder; for ever by default.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The lock.</returns>
    /// <exception cref="TimeoutException">Another holder had it all the time.</exception>
    /// <exception cref="MemcachedUnavailableException">The server gave no answer to the last attempt.</exception>
    /// <exception cref="MemcachedOutcomeException">The server cannot hold a lock, for want of memory for one.</exception>
    /// <exception cref="OperationCanceledException">The wait was ended.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The time-out is negative, and not infinite.</exception>
    public MemcachedLockHandle Acquire(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        => TryAcquire(timeout ?? Timeout.InfiniteTimeSpan, cancellationToken) ?? throw TimedOut(timeout);

    /// <summary>Takes the lock, if that can be done in time.</summary>
    /// <inheritdoc cref="TryAcquire"/>
    public ValueTask<MemcachedLockHandle?> TryAcquireAsync(TimeSpan timeout = default, CancellationToken cancellationToken = default)
        => new(WaitAsync(_awaited, timeout, cancellationToken));

    /// <summary>Takes the lock.</summary>
    /// <inheritdoc cref="Acquire"/>
    public async ValueTask<MemcachedLockHandle> AcquireAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        => await WaitAsync(_awaited, timeout ?? Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false) ?? throw TimedOut(timeout);

    IDistributedSynchronizationHandle? IDistributedLock.TryAcquire(TimeSpan timeout, CancellationToken cancellationToken)
        => TryAcquire(timeout, cancellationToken);

    IDistributedSynchronizationHandle IDistributedLock.Acquire(TimeSpan? timeout, CancellationToken cancellationToken)
        => Acquire(timeout, cancellationToken);

    async ValueTask<IDistributedSynchronizationHandle?> IDistributedLock.TryAcquireAsync(TimeSpan timeout, CancellationToken cancellationToken)
        => await TryAcquireAsync(timeout, cancellationToken).ConfigureAwait(false);

    async ValueTask<IDistributedSynchronizationHandle> IDistributedLock.AcquireAsync(TimeSpan? timeout, CancellationToken cancellationToken)
        => await AcquireAsync(timeout, cancellationToken).ConfigureAwait(false);

    /// <summary>The client as a lock needs it: two nodes would be two locks.</summary>
    internal static IMemcachedClient OnOwnNodes(IMemcachedClient client)
    {
        ArgumentNullException.ThrowIfNull(client);
        return client is MemcachedClient ours ? ours.OnOwnNodes() : client;
    }

    private async Task<MemcachedLockHandle?> WaitAsync(LockServer server, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (timeout < TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan)
        {
            throw new ArgumentOutOfRangeException(nameof(timeout), timeout, "Give a time of 0 or more, or Timeout.InfiniteTimeSpan.");
        }

        long started = server.Time.GetTimestamp();
        var attempt = new LockAttempt(server);
        TimeSpan pause = server.Options.MinimumWaitPause;
        LockLease? lease = null;
        try
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                lease = await attempt.TryAsync().ConfigureAwait(false);
                if (lease is not null)
                {
                    return new MemcachedLockHandle(lease, _awaited, _blocking);
                }

                TimeSpan left = timeout == Timeout.InfiniteTimeSpan ? TimeSpan.MaxValue : timeout - server.Time.GetElapsedTime(started);
                if (left <= TimeSpan.Zero)
                {
                    attempt.ThrowIfNoAnswer();
                    return null;
                }

                TimeSpan jittered = pause * (1 - (Random.Shared.NextDouble() / 2));
                await server.PauseAsync(jittered < left ? jittered : left, cancellationToken).ConfigureAwait(false);
                pause = pause * 1.5 < server.Options.MaximumWaitPause ? pause * 1.5 : server.Options.MaximumWaitPause;
            }
        }
        finally
        {
            if (lease is null)
            {
                await attempt.WithdrawAsync().ConfigureAwait(false);
            }
        }
    }

    private TimeoutException TimedOut(TimeSpan? timeout) => new($"The lock '{Name}' had another holder for all of {timeout}.");
}
