using System.Net;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AspNetCore.Tests.OutputCaching;

/// <summary>Servers that are away: responses go uncached, and none fails.</summary>
public sealed class OutageTests
{
    [MemcachedTheory]
    [InlineData(MemcachedFailureMode.Degrade)]
    [InlineData(MemcachedFailureMode.Throw)]
    public async Task Without_any_server_every_response_is_200_and_uncached(MemcachedFailureMode mode)
    {
        MemcachedProcess[] servers = await OwnNodes.StartAsync();
        await using PagePair pair = await PagePair.StartAsync(
            string.Join(',', servers.Select(static server => server.Server)),
            static (app, calls) => app.MapGet("/page", () => calls.Next()).CacheOutput(static policy => policy.Tag("tag")),
            services => services.Configure<MemcachedCacheOptions>(options => options.FailureMode = mode));
        string page = await pair.One.GetAsync("/page");
        Assert.Equal(page, await pair.Other.GetAsync("/page"));

        await Task.WhenAll(servers.Select(static server => server.KillAsync()));
        var seen = new HashSet<string>(StringComparer.Ordinal) { page };
        for (int i = 0; i < 20; i++)
        {
            // 500 would throw here.
            Assert.True(seen.Add(await pair.One.GetAsync("/page")), "a response is one that was seen before");
            await pair.One.EvictAsync("tag");
        }

        Assert.InRange(pair.One.Statistics.Failures, 1, int.MaxValue);
        Assert.NotEmpty(pair.One.Log.Of(4001));

        await Task.WhenAll(servers.Select(static server => server.StartAgainAsync()));
        await Eventually.True(() => pair.One.GetAsync("/page").Result == pair.One.GetAsync("/page").Result, "pages are cached again");
        Assert.DoesNotContain(await pair.One.GetAsync("/page"), seen);
        foreach (MemcachedProcess server in servers)
        {
            await server.DisposeAsync();
        }
    }

    [MemcachedFact]
    public async Task A_server_that_restarts_brings_no_evicted_page_back()
    {
        MemcachedProcess[] servers = await OwnNodes.StartAsync();
        await using PagePair pair = await PagePair.StartAsync(
            string.Join(',', servers.Select(static server => server.Server)),
            static (app, calls) => app.MapGet("/page/{id}", () => calls.Next()).CacheOutput(static policy => policy.Tag("tag")));
        var old = new HashSet<string>(StringComparer.Ordinal);
        for (int round = 0; round < servers.Length; round++)
        {
            foreach (int id in Enumerable.Range(0, 12))
            {
                old.Add(await pair.One.GetAsync("/page/" + id));
            }

            // The tag's version lies on one of the three.
            await pair.Other.EvictAsync("tag");
            await servers[round].KillAsync();
            await servers[round].StartAgainAsync();
            await Eventually.True(
                () =>
                    pair
                        .One.Cache.GetNodes()
                        .Concat(pair.Other.Cache.GetNodes())
                        .All(static node => node is { State: MemcachedNodeState.Up, UncertainKeys: 0 }),
                "all nodes are up");
            foreach (int id in Enumerable.Range(0, 12))
            {
                Assert.DoesNotContain(await pair.One.GetAsync("/page/" + id), old);
                Assert.DoesNotContain(await pair.Other.GetAsync("/page/" + id), old);
            }
        }

        foreach (MemcachedProcess server in servers)
        {
            await server.DisposeAsync();
        }
    }

    [MemcachedFact]
    public async Task A_server_that_hangs_costs_its_time_limit_and_no_error()
    {
        MemcachedProcess[] servers = await OwnNodes.StartAsync();
        await using PagePair pair = await PagePair.StartAsync(
            string.Join(',', servers.Select(static server => server.Server)),
            static (app, calls) => app.MapGet("/page/{id}", () => calls.Next()).CacheOutput(static policy => policy.Tag("tag")),
            static services => services.Configure<MemcachedCacheOptions>(static options => options.OperationTimeout = TimeSpan.FromMilliseconds(200)));
        await pair.One.GetAsync("/page/0");
        servers[1].Freeze();
        HttpResponseMessage[] responses = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(id => pair.One.Client.GetAsync(new Uri("/page/" + id, UriKind.Relative))));
        Assert.All(responses, static response => Assert.Equal(HttpStatusCode.OK, response.StatusCode));
        servers[1].Thaw();
        foreach (MemcachedProcess server in servers)
        {
            await server.DisposeAsync();
        }
    }
}
