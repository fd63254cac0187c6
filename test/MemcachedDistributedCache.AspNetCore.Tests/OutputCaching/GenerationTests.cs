using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AspNetCore.Tests.OutputCaching;

/// <summary>An eviction while a page is made wins over the page, which is stored after it.</summary>
public sealed class GenerationTests(OwnNodes nodes) : IClassFixture<OwnNodes>
{
    [MemcachedTheory]
    [InlineData("/policy", false)]
    [InlineData("/policy", true)]
    [InlineData("/endpoint", false)]
    [InlineData("/endpoint", true)]
    [InlineData("/unlocked", false)]
    [InlineData("/unlocked", true)]
    [InlineData("/nolookup", false)]
    [InlineData("/nolookup", true)]
    public async Task A_page_that_was_begun_before_the_eviction_is_not_served_after_it(string path, bool evictElsewhere)
    {
        await using Rig rig = await Rig.StartAsync(nodes);
        for (int round = 0; round < 3; round++)
        {
            await rig.Pair.One.EvictAsync("tag");
            rig.CloseGate();
            int before = rig.Calls;
            Task<string> slow = rig.Pair.One.GetAsync(path);
            await Eventually.True(() => rig.Calls > before, "the page is being made");
            await (evictElsewhere ? rig.Pair.Other : rig.Pair.One).EvictAsync("tag");
            rig.OpenGate();
            string old = await slow;

            string newer = await rig.Pair.One.GetAsync(path);
            Assert.NotEqual(old, newer);
            Assert.NotEqual(old, await rig.Pair.Other.GetAsync(path));

            // It is cached again, at the latest once it was made again.
            await rig.Pair.One.GetAsync(path);
            if (path != "/nolookup")
            {
                Assert.Equal(await rig.Pair.One.GetAsync(path), await rig.Pair.Other.GetAsync(path));
            }
        }
    }

    [MemcachedFact]
    public async Task A_page_begun_after_the_eviction_is_kept_though_another_was_begun_before()
    {
        await using Rig rig = await Rig.StartAsync(nodes);
        rig.CloseGate();
        Task<string> early = rig.Pair.One.GetAsync("/unlocked");
        await Eventually.True(() => rig.Calls == 1, "the first page is being made");
        await rig.Pair.Other.EvictAsync("tag");
        Task<string> late = rig.Pair.One.GetAsync("/unlocked");
        await Eventually.True(() => rig.Calls == 2, "the second page is being made");
        rig.OpenGate(1);
        string old = await early;
        rig.OpenGate();
        string kept = await late;
        Assert.NotEqual(old, kept);
        Assert.Equal(kept, await rig.Pair.Other.GetAsync("/unlocked"));
        Assert.Equal(kept, await rig.Pair.One.GetAsync("/unlocked"));
    }

    [MemcachedFact]
    public async Task Requests_that_share_a_look_up_are_covered_too()
    {
        await using Rig rig = await Rig.StartAsync(nodes);
        for (int round = 0; round < 20; round++)
        {
            await rig.Pair.One.EvictAsync("tag");
            rig.CloseGate();
            int before = rig.Calls;
            Task<string>[] crowd = [.. Enumerable.Range(0, 20).Select(_ => Task.Run(() => rig.Pair.One.GetAsync("/unlocked")))];
            await Eventually.True(() => rig.Calls == before + crowd.Length, "all make the page");
            await rig.Pair.Other.EvictAsync("tag");
            rig.OpenGate();
            string[] old = await Task.WhenAll(crowd);
            Assert.DoesNotContain(await rig.Pair.Other.GetAsync("/unlocked"), old);
            Assert.DoesNotContain(await rig.Pair.One.GetAsync("/unlocked"), old);
        }
    }

    /// <summary>
    /// On the store itself: above it ASP.NET lets a request share a look-up, or wait for a page, that was begun before
    /// the eviction.
    /// </summary>
    [MemcachedFact]
    public async Task Readers_never_find_an_older_page_after_an_eviction_while_everything_happens_at_once()
    {
        int data = 0;
        int evicted = 0;
        int hits = 0;
        await using PagePair pair = await PagePair.StartAsync(nodes.ConnectionString, static (_, _) => { });
        using var stop = new CancellationTokenSource();
        Task[] readers = [.. Enumerable.Range(0, 8).Select(n => Task.Run(async () =>
        {
            IOutputCacheStore store = (n % 2 == 0 ? pair.One : pair.Other).Store;
            string key = n % 4 < 2 ? "a" : "b";
            while (!stop.IsCancellationRequested)
            {
                int atLeast = Volatile.Read(ref evicted);
                if (await store.GetAsync(key, default) is { } page)
                {
                    int seen = BitConverter.ToInt32(page);
                    Assert.True(seen >= atLeast, $"{seen} was found after {atLeast} had been evicted");
                    Interlocked.Increment(ref hits);
                }
                else
                {
                    int read = Volatile.Read(ref data);
                    await Task.Delay(read % 7);
                    await store.SetAsync(key, BitConverter.GetBytes(read), key == "a" ? ["tag"] : ["tag", "other"], TimeSpan.FromMinutes(1), default);
                }
            }
        }))];
        for (int change = 1; change <= 150; change++)
        {
            Volatile.Write(ref data, change);
            await (change % 2 == 0 ? pair.One : pair.Other).EvictAsync("tag");
            Volatile.Write(ref evicted, change);
            await Task.Delay(change % 10);
        }

        await stop.CancelAsync();
        await Task.WhenAll(readers);
        Assert.True(hits > 0);
    }

    private sealed class Rig : IAsyncDisposable
    {
        private SemaphoreSlim _gate = new(int.MaxValue / 2);

        public PagePair Pair { get; private set; } = null!;

        public int Calls => Pair.Calls.Count;

        public static async Task<Rig> StartAsync(OwnNodes nodes)
        {
            var rig = new Rig();
            rig.Pair = await PagePair.StartAsync(nodes.ConnectionString, (app, calls) =>
            {
                async Task<string> MakeAsync()
                {
                    SemaphoreSlim gate = rig._gate;
                    string page = calls.Next();
                    Assert.True(await gate.WaitAsync(Eventually.Limit));
                    return page;
                }

                app.MapGet("/policy", MakeAsync).CacheOutput(static policy => policy.Tag("tag"));
                app.MapGet("/unlocked", MakeAsync).CacheOutput(static policy => policy.Tag("tag").SetLocking(false));
                app.MapGet("/nolookup", MakeAsync).CacheOutput(static policy => policy.Tag("tag").AddPolicy<NoLookup>());
                app.MapGet("/endpoint", (Delegate)((HttpContext context) =>
                {
                    context.Features.Get<IOutputCacheFeature>()!.Context.Tags.Add("tag");
                    return MakeAsync();
                })).CacheOutput();
            });
            return rig;
        }

        public void CloseGate() => _gate = new SemaphoreSlim(0);

        public void OpenGate(int count = int.MaxValue / 2) => _gate.Release(count);

        public ValueTask DisposeAsync() => Pair.DisposeAsync();
    }

    private sealed class NoLookup : IOutputCachePolicy
    {
        public ValueTask CacheRequestAsync(OutputCacheContext context, CancellationToken cancellation)
        {
            context.AllowCacheLookup = false;
            return ValueTask.CompletedTask;
        }

        public ValueTask ServeFromCacheAsync(OutputCacheContext context, CancellationToken cancellation) => ValueTask.CompletedTask;

        public ValueTask ServeResponseAsync(OutputCacheContext context, CancellationToken cancellation) => ValueTask.CompletedTask;
    }
}
