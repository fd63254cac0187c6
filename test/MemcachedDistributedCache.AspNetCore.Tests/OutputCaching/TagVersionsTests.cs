using MemcachedDistributedCache.AspNetCore.OutputCaching;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;

namespace MemcachedDistributedCache.AspNetCore.Tests.OutputCaching;

/// <summary>Versions of tags on a real server, by two processes' ways to it.</summary>
public sealed class TagVersionsTests
{
    [MemcachedFact]
    public async Task A_retried_eviction_undoes_none_that_came_between()
    {
        await using MemcachedProcess server = await MemcachedProcess.StartAsync();
        await using FaultProxy proxy = await FaultProxy.StartAsync(server.EndPoint);
        string space = Guid.NewGuid().ToString("N");
        await using MemcachedCache far = Caches.On([proxy.EndPoint.ToString()!], Configure);
        await using MemcachedCache near = Caches.On([server.Server], Configure);
        var one = new TagVersions(far, TimeProvider.System);
        var other = new TagVersions(near, TimeProvider.System);
        var tag = TagId.Of("tag");
        await one.EvictAsync(tag);
        TagVersion? before = await other.ReadAsync(tag, default);

        // The first attempt arrives, and its answer does not.
        await proxy.ApplyAsync(Fault.OnReplies(new StreamFault { Stall = true }));
        Task evicting = one.EvictAsync(tag);
        TagVersion? first = before;
        await Eventually.True(async () => (first = await other.ReadAsync(tag, default)) != before, "it has arrived");
        await other.EvictAsync(tag);
        await Eventually.True(() => Task.FromResult(far.GetNodes()[0].Retries > 0), "it is tried again");
        await proxy.ApplyAsync(Fault.None);
        await evicting.WaitAsync(Eventually.Limit);
        TagVersion? last = await other.ReadAsync(tag, default);
        Assert.NotNull(last);
        Assert.NotEqual(first, last);

        void Configure(MemcachedCacheOptions options)
        {
            options.Namespace = space;

            // Another attempt needs its whole time, which a first one that ends late on a busy machine must leave.
            options.OperationTimeout = TimeSpan.FromSeconds(20);
            options.AttemptTimeout = TimeSpan.FromSeconds(1);
        }
    }
}
