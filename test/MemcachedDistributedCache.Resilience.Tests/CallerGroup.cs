using System.Diagnostics;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>Callers of a cluster, the same number for each node, and what they get done.</summary>
internal sealed class CallerGroup : IAsyncDisposable
{
    private const int KeysPerCaller = 8;

    private readonly CancellationTokenSource _stop = new();
    private readonly DedicatedCaller[] _callers;
    private readonly Task[] _running;

    private CallerGroup(DedicatedCaller[] callers)
    {
        _callers = callers;
        _running = [.. callers.Select(caller => Task.Run(() => caller.RunAsync(_stop.Token)))];
    }

    /// <summary>Starts callers, those of the nodes from <paramref name="firstUnpaced"/> on without a pause.</summary>
    public static async Task<CallerGroup> StartAsync(MemcachedCache cache, int count, int firstUnpaced, int seed)
    {
        int nodes = cache.GetNodes().Count;
        int perNode = (count + nodes - 1) / nodes;
        int[][] keys = await NodeKeys.FindAsync(cache, DedicatedCaller.Name, perNode * KeysPerCaller);
        return new CallerGroup([.. Enumerable.Range(0, count).Select(i =>
        {
            int node = i % nodes;
            int[] own = keys[node].AsSpan(i / nodes * KeysPerCaller, KeysPerCaller).ToArray();
            return new DedicatedCaller(cache, node, own, paced: node < firstUnpaced, Seeds.Of(seed, i));
        })]);
    }

    /// <summary>The callers of a node.</summary>
    public IEnumerable<DedicatedCaller> Of(int node) => _callers.Where(caller => caller.Node == node);

    /// <summary>
    /// Calls that those of the given nodes get done in a second, over a span of time. What one of them has found wrong
    /// by then is thrown here.
    /// </summary>
    public async Task<double> RateAsync(TimeSpan span, params int[] nodes)
    {
        DedicatedCaller[] counted = [.. _callers.Where(caller => nodes.Contains(caller.Node))];
        long before = counted.Sum(caller => caller.Operations);
        long started = Stopwatch.GetTimestamp();
        await Task.Delay(span);
        await Task.WhenAll(_running.Where(static caller => caller.IsFaulted));
        return (counted.Sum(caller => caller.Operations) - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>Ends them; whatever one of them found wrong is thrown here.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_running).WaitAsync(Eventually.Limit);
        Assert.All(_callers, caller => Assert.True(caller.Operations > 0));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_running).WaitAsync(Eventually.Limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }
}
