namespace MemcachedDistributedCache;

/// <summary>The operations on one lock, for a caller who awaits them or for one who blocks: then each task is complete.</summary>
/// <param name="client">The client, on each key's own node.</param>
/// <param name="name">The lock's name.</param>
/// <param name="options">The options, checked.</param>
/// <param name="time">The clock.</param>
/// <param name="isBlocking">The calls block.</param>
internal sealed class LockServer(IMemcachedClient client, string name, MemcachedLockOptions options, TimeProvider time, bool isBlocking)
{
    private const int Attempts = 3;

    // Longer than any lease. A counter that has ended begins anew from the clock, which is ahead of it.
    private static readonly TimeSpan CounterTimeToLive = TimeSpan.FromDays(365);

    private readonly MemcachedKey _key = LockNames.KeyOf(name);
    private readonly MemcachedKey _counter = LockNames.CounterOf(name);

    /// <summary>The options.</summary>
    public MemcachedLockOptions Options => options;

    /// <summary>The clock.</summary>
    public TimeProvider Time => time;

    /// <summary>The same operations, awaited.</summary>
    public LockServer Awaited() => isBlocking ? new LockServer(client, name, options, time, isBlocking: false) : this;

    /// <summary>Takes the lock if nobody has it.</summary>
    public ValueTask<MemcachedResult> AddAsync(string owner)
        => isBlocking ? new(client.Add(_key, owner, options.LeaseDuration)) : client.AddAsync(_key, owner, options.LeaseDuration);

    /// <summary>Renews the lock in one state.</summary>
    public ValueTask<MemcachedResult> RenewAsync(string owner, MemcachedCas cas)
        => isBlocking
            ? new(client.CompareAndSet(_key, owner, cas, options.LeaseDuration))
            : client.CompareAndSetAsync(_key, owner, cas, options.LeaseDuration);

    /// <summary>Reads who has the lock.</summary>
    public ValueTask<MemcachedResult<MemcachedItem<string>>> ReadAsync()
        => isBlocking ? new(client.GetItem<string>(_key)) : client.GetItemAsync<string>(_key);

    /// <summary>
    /// Draws the next fencing number. A new counter begins with the microseconds since 1970: a lock is not taken a million times a
    /// second, so the clock stays ahead of any counter that the server has lost.
    /// </summary>
    public async ValueTask<MemcachedResult<ulong>> DrawNumberAsync()
    {
        for (int attempt = 1; ; attempt++)
        {
            ulong initial = (ulong)(time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
            MemcachedResult<ulong> drawn = isBlocking
                ? client.Increment(_counter, 1, initial, CounterTimeToLive)
                : await client.IncrementAsync(_counter, 1, initial, CounterTimeToLive).ConfigureAwait(false);

            // A number that was counted without an answer is left out; the next one is as good.
            if (drawn.Outcome is not MemcachedOutcome.Unknown || attempt == Attempts)
            {
                return drawn;
            }
        }
    }

    /// <summary>Gives the lock back, if it is this owner's. Where no answer says that it was, the lock ends with its lease.</summary>
    public async ValueTask ReleaseAsync(string owner, MemcachedCas cas)
    {
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            if (!cas.IsKnown)
            {
                MemcachedResult<MemcachedItem<string>> read = await ReadAsync().ConfigureAwait(false);
                if (!read.IsSuccess || read.Value.Value != owner || !read.Value.Cas.IsKnown)
                {
                    return;
                }

                cas = read.Value.Cas;
            }

            MemcachedResult deleted = isBlocking
                ? client.CompareAndDelete(_key, cas)
                : await client.CompareAndDeleteAsync(_key, cas).ConfigureAwait(false);
            if (deleted.Outcome is not (MemcachedOutcome.Conflict or MemcachedOutcome.Unknown))
            {
                return;
            }

            cas = default;
        }
    }

    /// <summary>Waits before the next attempt.</summary>
    public Task PauseAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        if (!isBlocking)
        {
            return Task.Delay(pause, time, cancellationToken);
        }

        cancellationToken.WaitHandle.WaitOne(pause);
        cancellationToken.ThrowIfCancellationRequested();
        return Task.CompletedTask;
    }
}
