using System.Collections.Concurrent;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// The refreshes of this process. A key that another process refreshes, or whose refresh failed, rests for a moment: so that those who read it meanwhile do not
/// ask for its lease each time.
/// </summary>
internal sealed class RefreshTable(TimeProvider timeProvider, CancellationToken disposed)
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<FlightKey, byte> _running = new();

    /// <summary>Begins a refresh on the thread pool, unless there is one.</summary>
    public bool TryBegin<T>(FlightKey key, Func<CancellationToken, Task<Outcome<T>?>> refresh, out Task<Outcome<T>?>? running)
    {
        bool begins = !disposed.IsCancellationRequested && _running.TryAdd(key, 0);
        running = begins ? Task.Run(() => RunAsync(key, refresh), CancellationToken.None) : null;
        return begins;
    }

    private async Task<Outcome<T>?> RunAsync<T>(FlightKey key, Func<CancellationToken, Task<Outcome<T>?>> refresh)
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

        if (outcome is not null)
        {
            _running.TryRemove(key, out _);
        }
        else
        {
            _ = ForgetLaterAsync(key);
        }

        return outcome;
    }

    private async Task ForgetLaterAsync(FlightKey key)
    {
        try
        {
            await Task.Delay(Rest, timeProvider, disposed).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Nobody will ask any more.
        }

        _running.TryRemove(key, out _);
    }
}
