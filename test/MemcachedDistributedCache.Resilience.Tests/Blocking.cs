namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Synchronous calls beside asynchronous ones: each on a thread of its own, so that none takes one from the pool.</summary>
internal static class Blocking
{
    /// <summary>Starts a call.</summary>
    public static Task<T> Run<T>(Func<T> call)
        => Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
