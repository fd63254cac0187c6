using System.Globalization;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Embedded;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AspNetCore.Tests.OutputCaching;

/// <summary>
/// An eviction while the tag's server cannot be reached goes to its gutter node, and the server comes back with its
/// memory: with the tag's version of before, and the pages that have it. Of three applications one evicts, one sees the
/// server down, and one never notices, since it asks for nothing meanwhile.
/// </summary>
public sealed class FailoverTests : IAsyncLifetime
{
    private const string Tag = "tag";
    private const int Pages = 12;

    private readonly List<MemcachedProcess> _servers = [];
    private readonly List<FaultProxy> _proxies = [];
    private readonly List<PageApp> _apps = [];
    private readonly CallCount _calls = new();
    private readonly string _space = PageApp.NewNamespace();

    public async Task InitializeAsync()
    {
        for (int i = 0; i < 3 && MemcachedBinary.SkipReason is null; i++)
        {
            _servers.Add(await MemcachedProcess.StartAsync());
            _proxies.Add(await FaultProxy.StartAsync(_servers[i].EndPoint));
        }
    }

    public async Task DisposeAsync()
    {
        foreach (IAsyncDisposable one in (IEnumerable<IAsyncDisposable>)[.. _apps, .. _proxies, .. _servers])
        {
            await one.DisposeAsync();
        }
    }

    [MemcachedFact]
    public async Task Who_evicted_gives_out_no_page_of_before_from_then_on_and_makes_up_for_it_with_everybody()
    {
        PageApp evicting = await StartAsync();
        PageApp unaware = await StartAsync();
        string[] old = await FillAsync(evicting, unaware);
        int node = await NodeOfTagAsync(evicting);
        await CutAsync(node, standsIn: true, evicting);
        await evicting.EvictAsync(Tag);
        Assert.Empty(evicting.Log.Of(4001));
        Assert.Empty((await ReadAsync(evicting)).Intersect(old));

        await HealAsync(node);
        for (bool settled = false; !settled;)
        {
            settled = evicting.Cache.GetNodes()[node] is { State: MemcachedNodeState.Up, UncertainKeys: 0 };
            Assert.Empty((await ReadAsync(evicting)).Intersect(old));
        }

        Assert.Empty((await ReadAsync(unaware)).Intersect(old));
        await AreCachedAgainAsync(evicting, unaware);
    }

    [MemcachedTheory]
    [InlineData(MemcachedFailover.Gutter, false)]
    [InlineData(MemcachedFailover.Gutter, true)]
    [InlineData(MemcachedFailover.None, false)]
    [InlineData(MemcachedFailover.None, true)]
    public async Task Who_saw_the_server_down_gives_out_no_page_of_before_though_nobody_makes_up_for_the_eviction(
        MemcachedFailover failover,
        bool looksMeanwhile)
    {
        PageApp evicting = await StartAsync(failover);
        PageApp seeing = await StartAsync(failover);
        PageApp unaware = await StartAsync(failover);
        string[] old = await FillAsync(evicting, seeing, unaware);
        int node = await NodeOfTagAsync(evicting);
        await CutAsync(node, standsIn: failover == MemcachedFailover.Gutter, evicting, seeing);
        await evicting.EvictAsync(Tag);
        Assert.Equal(failover == MemcachedFailover.None, evicting.Log.Of(4001).Count == 1);
        if (looksMeanwhile)
        {
            // Half of them: the others are looked for when the server is back.
            Assert.Empty((await ReadAsync(seeing, Pages / 2)).Intersect(old));
        }

        // It ends, and what it would have removed from the server stays there.
        await evicting.DisposeAsync();
        await HealAsync(node);
        if (!looksMeanwhile)
        {
            Assert.Equal(old, await ReadAsync(unaware));
        }

        await Eventually.True(() => seeing.Cache.GetNodes()[node].State == MemcachedNodeState.Up, "the server is back");
        for (bool settled = false; !settled;)
        {
            settled = seeing.Cache.GetNodes()[node] is { State: MemcachedNodeState.Up, UncertainKeys: 0 };
            Assert.Empty((await ReadAsync(seeing)).Intersect(old));
        }

        // It has given the tag a new version, and with that the third one's pages have ended too.
        Assert.Empty((await ReadAsync(unaware)).Intersect(old));
        await AreCachedAgainAsync(seeing, unaware);
    }

    private async Task<PageApp> StartAsync(MemcachedFailover failover = MemcachedFailover.Gutter)
    {
        PageApp app = await PageApp.StartAsync(
            string.Join(',', _proxies.Select(static proxy => proxy.Server)),
            app => app.MapGet("/page/{id}", () => _calls.Next()).CacheOutput(static policy => policy.Tag(Tag)),
            _space,
            services => services.Configure<MemcachedCacheOptions>(options =>
            {
                options.Failover = failover;
                options.AttemptTimeout = TimeSpan.FromSeconds(1);
                options.ReconnectDelay = TimeSpan.FromMilliseconds(10);
                options.MaximumReconnectDelay = TimeSpan.FromMilliseconds(100);
            }));
        _apps.Add(app);
        await app.Cache.ReadableAsync();
        return app;
    }

    /// <summary>Makes the pages by the first, and has all the others read them.</summary>
    private static async Task<string[]> FillAsync(params PageApp[] apps)
    {
        string[] pages = await ReadAsync(apps[0]);
        foreach (PageApp app in apps)
        {
            Assert.Equal(pages, await ReadAsync(app));
        }

        return pages;
    }

    private static Task<string[]> ReadAsync(PageApp app, int pages = Pages)
        => Task.WhenAll(Enumerable.Range(0, pages).Select(id => app.GetAsync("/page/" + id.ToString(CultureInfo.InvariantCulture)))).WaitAsync(Eventually.Limit);

    private static async Task AreCachedAgainAsync(PageApp one, PageApp other)
    {
        using var limit = new CancellationTokenSource(Eventually.Limit);
        string[] pages = await ReadAsync(one);
        while (!Enumerable.SequenceEqual(pages, await ReadAsync(other)))
        {
            Assert.False(limit.IsCancellationRequested, "the pages are not cached again");
            pages = await ReadAsync(one);
        }

        Assert.Equal(pages, await ReadAsync(one));
    }

    /// <summary>The server of the tag's version: whoever counts a read of it was asked.</summary>
    private static async Task<int> NodeOfTagAsync(PageApp app)
    {
        long[] before = Hits(app);
        Assert.NotNull(await app.Pages.GetAsync(PageApp.VersionKey(Tag)));
        return Array.FindIndex([.. Hits(app).Zip(before)], static hits => hits.First > hits.Second);
    }

    private static long[] Hits(PageApp app) => [.. app.Cache.GetNodes().Select(static node => node.Hits)];

    /// <summary>Lets nothing through any more. Who asks finds out; who does not keeps its connections.</summary>
    private async Task CutAsync(int node, bool standsIn, params PageApp[] noticing)
    {
        await _proxies[node].ApplyAsync(new Fault { ToServer = new StreamFault { Stall = true }, ToClient = new StreamFault { Stall = true } });
        foreach (PageApp app in noticing)
        {
            await UntilAsync(
                async key
                    => await app.Cache.GetAsync("never stored " + key) is null && app.Cache.GetNodes()[node].State == MemcachedNodeState.Down,
                "the server is down");
            if (standsIn)
            {
                // Each gutter node has told its number: what is stored there from now on is read.
                await UntilAsync(async key => await SetAndGetAsync(app.Cache, key), "the gutter nodes are ready");
            }
        }
    }

    private static async Task<bool> SetAndGetAsync(MemcachedCache cache, string key)
    {
        await cache.SetAsync(key, [1], new DistributedCacheEntryOptions());
        return await cache.GetAsync(key) is not null;
    }

    /// <summary>Waits until something holds of enough keys for every server to have some.</summary>
    private static Task UntilAsync(Func<string, Task<bool>> holds, string what) => Eventually.True(
        async () => !(await Task.WhenAll(Enumerable.Range(0, 40).Select(key => holds("any " + key.ToString(CultureInfo.InvariantCulture))))).Contains(false),
        what);

    private Task HealAsync(int node) => _proxies[node].ApplyAsync(Fault.None);
}
