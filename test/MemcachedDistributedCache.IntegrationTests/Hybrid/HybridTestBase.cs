using System.Diagnostics;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Makes instances for tests, and ends them.</summary>
public abstract class HybridTestBase(ThreeNodes nodes) : IClassFixture<ThreeNodes>, IAsyncLifetime
{
    private readonly List<Instance> _instances = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _instances.DisposeAllAsync();

    /// <summary>Instances on the servers of the class.</summary>
    private protected Instance[] Make(int count, Action<MemcachedCacheOptions>? configure = null) => On(nodes.Servers, count, configure);

    /// <summary>Instances on servers of the test.</summary>
    private protected Instance[] On(IEnumerable<MemcachedProcess> servers, int count, Action<MemcachedCacheOptions>? configure = null)
    {
        Instance[] made = Instance.Several(count, servers, configure);
        _instances.AddRange(made);
        return made;
    }

    /// <summary>
    /// Asks until the answer is the new one, and holds each older answer against the bound: it may not have been asked
    /// for later than that after the change. How long a busy machine takes to ask does not matter.
    /// </summary>
    private protected static async Task SeenWithin(TimeSpan bound, long changedAt, Func<Task<bool>> isNew, string what)
    {
        while (true)
        {
            TimeSpan askedAfter = Stopwatch.GetElapsedTime(changedAt);
            if (await isNew().WaitAsync(Eventually.Limit))
            {
                return;
            }

            Assert.True(askedAfter <= bound, $"{what}: not yet when asked after {askedAfter.TotalMilliseconds} ms");
            await Task.Delay(5);
        }
    }
}
