using System.Diagnostics;

namespace MemcachedDistributedCache.Tests.Fakes;

/// <summary>Waits for what another thread is about to do; the limit is only there to end a test that has failed.</summary>
internal static class Eventually
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public static async Task True(Func<bool> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Limit, $"waited in vain until {what}");
            await Task.Delay(1);
        }
    }
}
