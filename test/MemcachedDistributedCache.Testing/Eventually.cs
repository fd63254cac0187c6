using System.Diagnostics;

namespace MemcachedDistributedCache.Testing;

/// <summary>Waits for what something else is about to do.</summary>
public static class Eventually
{
    /// <summary>The bound of every wait in these tests: far beyond what a slow machine needs, far below a hung build.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Waits for a condition that something else brings about.</summary>
    public static Task True(Func<bool> condition, string what) => True(() => Task.FromResult(condition()), what);

    /// <summary>Waits for what only asking brings about, or shows.</summary>
    public static Task True(Func<Task<bool>> condition, string what) => Get(condition, static holds => holds, what);

    /// <summary>Asks until the answer is as wanted, and returns that answer.</summary>
    /// <exception cref="TimeoutException">It is not within <see cref="Limit"/>; the message has the last answer.</exception>
    public static async Task<T> Get<T>(Func<Task<T>> ask, Func<T, bool> wanted, string what)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            T answer = await ask().WaitAsync(Limit);
            if (wanted(answer))
            {
                return answer;
            }

            if (Stopwatch.GetElapsedTime(started) > Limit)
            {
                object? told = answer is object[] several ? string.Join(", ", several) : answer;
                throw new TimeoutException($"Not within {Limit.TotalSeconds} s: {what}. The last answer was {told}.");
            }

            await Task.Delay(1);
        }
    }
}
