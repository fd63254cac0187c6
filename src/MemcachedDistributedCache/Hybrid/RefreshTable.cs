using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using MemcachedDistributedCache.Connections;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The refreshes of this process. A key that another process refreshes, or whose refresh failed, rests for a moment: so that those
/// who read it meanwhile do not ask for its lease each time. A refresh that fails again and again is left to a caller, whose
/// factory has all that belongs to its request.
/// </summary>
internal sealed class RefreshTable(TimeProvider ioTime, CancellationToken disposed)
{
    /// <summary>After so many refreshes of one entry that failed, one after the other, a caller runs its own factory.</summary>
    public const int MaximumFailures = 3;

    /// <summary>For how many keys failures are counted; beyond that counting begins anew.</summary>
    private const int MaximumCounted = 10_000;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<SingleFlightKey, byte> _running = new();
    private readonly ConcurrentDictionary<SingleFlightKey, Failures> _failures = new();

    /// <summary>
    /// Begins a refresh on the thread pool, unless there is one; outside the context of who met the old value, which may be gone by
    /// then.
    /// </summary>
    public bool TryBegin<T>(SingleFlightKey key, Func<CancellationToken, Task<Outcome<T>?>> refresh, out Task<Outcome<T>?>? running)
    {
        running = null;
        if (!TryEnter(key))
        {
            return false;
        }

        using (FlowGuard.Suppress())
        {
            running = Task.Run(() => RunAsync(key, refresh), CancellationToken.None);
        }

        return true;
    }

    /// <summary>Takes the place of a refresh; false if there is one, or the key rests.</summary>
    public bool TryEnter(SingleFlightKey key) => !disposed.IsCancellationRequested && _running.TryAdd(key, 0);

    /// <summary>Gives the place free, at once if there is a new value.</summary>
    public void Leave(SingleFlightKey key, bool hasMade)
    {
        if (hasMade)
        {
            _failures.TryRemove(key, out _);
            _running.TryRemove(key, out _);
        }
        else
        {
            _ = ForgetLaterAsync(key);
        }
    }

    /// <summary>The factory failed to refresh an entry, which is told by when it was made.</summary>
    public void NoteFailed(SingleFlightKey key, long createdAt)
    {
        if (_failures.Count >= MaximumCounted)
        {
            _failures.Clear();
        }

        _failures.AddOrUpdate(
            key,
            static (_, at) => new Failures(at, 1),
            static (_, known, at) => new Failures(at, known.CreatedAt == at ? Math.Min(known.Count + 1, MaximumFailures) : 1),
            createdAt);
    }

    /// <summary>An entry's refreshes have failed too often to be tried in the background once more.</summary>
    public bool HasGivenUp(SingleFlightKey key, long createdAt)
        => !_failures.IsEmpty && _failures.TryGetValue(key, out Failures known) && known.CreatedAt == createdAt && known.Count >= MaximumFailures;

    private async Task<Outcome<T>?> RunAsync<T>(SingleFlightKey key, Func<CancellationToken, Task<Outcome<T>?>> refresh)
    {
        Outcome<T>? outcome = null;
        try
        {
            outcome = await refresh(disposed).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Counted and logged where it was thrown; the old value stands.
        }

        Leave(key, hasMade: outcome is not null);
        return outcome;
    }

    private async Task ForgetLaterAsync(SingleFlightKey key)
    {
        try
        {
            await Task.Delay(Pause, ioTime, disposed).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Nobody will ask any more.
        }

        _running.TryRemove(key, out _);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Failures(long CreatedAt, int Count);
}
