using System.Runtime.ExceptionServices;

namespace MemcachedDistributedCache.Hybrid;

/// <summary>
/// One call's work on many items, so many of them at once and no more: a queue of a connection that one call has filled refuses
/// what others send. The first are begun before this returns, so that a server sees them in one packet.
/// </summary>
internal static class FanOut
{
    /// <summary>Does all of it; the first exception is thrown when all has been tried.</summary>
    public static Task RunAsync<T>(IReadOnlyList<T> items, int width, Func<T, Task> act)
    {
        int slots = Math.Min(width, items.Count);
        if (slots == 0)
        {
            return Task.CompletedTask;
        }

        int next = -1;
        var running = new Task[slots];
        for (int i = 0; i < slots; i++)
        {
            running[i] = RunWorkerAsync();
        }

        return Task.WhenAll(running);

        async Task RunWorkerAsync()
        {
            ExceptionDispatchInfo? first = null;
            for (int i = Interlocked.Increment(ref next); i < items.Count; i = Interlocked.Increment(ref next))
            {
                try
                {
                    await act(items[i]).ConfigureAwait(false);
                }
                catch (Exception exception)
                {
                    first ??= ExceptionDispatchInfo.Capture(exception);
                }
            }

            first?.Throw();
        }
    }
}
