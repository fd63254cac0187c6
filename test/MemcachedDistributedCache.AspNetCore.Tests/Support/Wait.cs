using System.Diagnostics;

namespace MemcachedDistributedCache.AspNetCore.Tests.Support;

/// <summary>Bounded waits.</summary>
internal static class Wait
{
    /// <summary>Far beyond what a slow machine needs, far below a hung build.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < Limit, $"Not within {Limit.TotalSeconds} s: {what}");
            await Task.Delay(5);
        }
    }
}
