using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Polly;

namespace MemcachedDistributedCache.Resilience.Tests;

/// <summary>A server that goes silent, seen by an application with little to ask.</summary>
[Trait("Machine", "Quiet")]
public sealed class SilenceTests
{
    private static readonly DistributedCacheEntryOptions Default = new();

    [MemcachedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_that_nobody_uses_keeps_no_silent_server_up(bool sync)
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using MemcachedCache cache = Caches.On(server.EndPoint, static options =>
        {
            options.FailureMode = MemcachedFailureMode.Degrade;
            options.OperationTimeout = TimeSpan.FromMilliseconds(500);
            options.BreakerMinimumThroughput = 1000; // too few to judge by
        });
        await cache.SetAsync("key", [1], Default);
        Assert.NotNull(cache.Get("key"));
        await Task.Delay(TimeSpan.FromMilliseconds(150)); // both connections have worked for longer than the pause after a failure
        server.Freeze();
        try
        {
            long started = TimeProvider.System.GetTimestamp();
            while (cache.GetNodes()[0].State != MemcachedNodeState.Down)
            {
                Assert.True(
                    TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(15),
                    "the server has been silent for fifteen seconds and counts as up");
                _ = sync
                    ? await Task.Factory.StartNew(() => cache.Get("key"), TaskCreationOptions.LongRunning)
                    : await cache.GetAsync("key");
            }
        }
        finally
        {
            server.Thaw();
        }

        await cache.ReadableAsync();
        Assert.NotNull(await cache.GetAsync("key"));
    }

    [MemcachedFact]
    public async Task A_removal_that_the_applications_pipeline_refuses_hides_what_a_stand_in_holds_too()
    {
        await using MemcachedProcess first = await MemcachedProcess.StartAsync();
        await using MemcachedProcess second = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(first.EndPoint);
        var refuse = new ManualResetEventSlim();
        await using MemcachedCache cache = Caches.On([proxy.Server, second.Server], options =>
        {
            options.FailureMode = MemcachedFailureMode.Degrade;
            options.ConfigureResilience(builder => builder.AddStrategy(_ => new Refusing(refuse), new Refusing.Options()));
        });
        await cache.ReadableAsync();
        await proxy.ApplyAsync(Fault.Refuse);
        proxy.DropConnections(reset: true);
        await Eventually.True(() => cache.GetNodes()[0].State == MemcachedNodeState.Down, "the first is down");
        string[] keys = [.. Enumerable.Range(0, 20).Select(static i => $"key{i}")];
        foreach (string key in keys)
        {
            await Eventually.True(
                () =>
                {
                    cache.Set(key, [1], Default);
                    return cache.Get(key) is not null;
                },
                "the second stands in");
        }

        // Nothing is removed at the second before each key has been read as gone.
        refuse.Set();
        foreach (string key in keys)
        {
            await cache.RemoveAsync(key);
        }

        refuse.Reset();
        Assert.All(keys, key => Assert.Null(cache.Get(key)));
    }

    /// <summary>A strategy that refuses on demand.</summary>
    private sealed class Refusing(ManualResetEventSlim refuse) : ResilienceStrategy
    {
        protected override ValueTask<Outcome<TResult>> ExecuteCore<TResult, TState>(
            Func<ResilienceContext, TState, ValueTask<Outcome<TResult>>> callback, ResilienceContext context, TState state)
            => refuse.IsSet ? new(Outcome.FromException<TResult>(new Polly.CircuitBreaker.BrokenCircuitException())) : callback(context, state);

        public sealed class Options : ResilienceStrategyOptions;
    }
}
