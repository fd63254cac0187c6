using System.Collections.Concurrent;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The leases that this process holds or is about to win, so that none outlives the cache: another process would wait for it until
/// it runs out. A lease is here from the moment that its reply is read until it has been given back or its value stored.
/// </summary>
internal sealed class HeldLeases
{
    private readonly ConcurrentDictionary<Lease, byte> _held = new();
    private volatile bool _isClosed;

    /// <summary>The questions under way that may win a lease.</summary>
    public WorkCount Questions { get; } = new();

    /// <summary>A lease that is won is to be given back at once.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>How many are held.</summary>
    public int Count => _held.Count;

    /// <summary>A lease was won.</summary>
    public void Add(Lease lease) => _held[lease] = 0;

    /// <summary>It is given back, or what it was held for is stored.</summary>
    public void Remove(Lease lease) => _held.TryRemove(lease, out _);

    /// <summary>Gives all of them back, those of questions under way too.</summary>
    public async Task CloseAsync()
    {
        _isClosed = true;
        Task held = Task.WhenAll(_held.Keys.Select(static lease => lease.ReleaseAsync().AsTask()));
        await Questions.WhenNoneAsync().ConfigureAwait(false);
        await held.ConfigureAwait(false);

        // Won before they could see that all is closed.
        await Task.WhenAll(_held.Keys.Select(static lease => lease.ReleaseAsync().AsTask())).ConfigureAwait(false);
    }
}

/// <summary>Counts work that is under way, so that its end can be waited for.</summary>
internal sealed class WorkCount
{
    private int _count;
    private TaskCompletionSource? _none;

    /// <summary>Some begins.</summary>
    public void Begin() => Interlocked.Increment(ref _count);

    /// <summary>Some ends.</summary>
    public void End()
    {
        if (Interlocked.Decrement(ref _count) == 0)
        {
            Volatile.Read(ref _none)?.TrySetResult();
        }
    }

    /// <summary>Counts work that has begun until it ends.</summary>
    public Task Count(Task work)
    {
        if (!work.IsCompleted)
        {
            Begin();
            _ = work.ContinueWith(
                static (_, count) => ((WorkCount)count!).End(),
                this,
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }

        return work;
    }

    /// <summary>Completes at a moment when nothing is under way.</summary>
    public Task WhenNoneAsync()
    {
        TaskCompletionSource none = Volatile.Read(ref _none) ?? new(TaskCreationOptions.RunContinuationsAsynchronously);
        none = Interlocked.CompareExchange(ref _none, none, null) ?? none;

        // A full fence lies between this and the source's publication, as in the last End.
        if (Interlocked.Add(ref _count, 0) == 0)
        {
            none.TrySetResult();
        }

        return none.Task;
    }
}
