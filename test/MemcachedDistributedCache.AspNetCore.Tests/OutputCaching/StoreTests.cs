using System.Buffers;
using System.IO.Pipelines;
using MemcachedDistributedCache.AspNetCore.Tests.Support;
using MemcachedDistributedCache.Testing;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Caching.Distributed;

namespace MemcachedDistributedCache.AspNetCore.Tests.OutputCaching;

/// <summary>The store by itself, as the middleware and others call it.</summary>
public sealed class StoreTests(OwnNodes nodes) : IClassFixture<OwnNodes>
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [MemcachedFact]
    public async Task A_page_that_is_not_there_is_null()
    {
        await using PageApp app = await StartAsync();
        Assert.Null(await app.Store.GetAsync("missing", default));
        Assert.False(await Buffers(app).TryGetAsync("missing", new Pipe().Writer, default));
        Assert.Equal((0, 2), (app.Statistics.Hits, app.Statistics.Misses));
    }

    [MemcachedTheory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task What_is_stored_is_found(bool asSequence, bool withTags)
    {
        await using PageApp app = await StartAsync();
        string[]? tags = withTags ? ["a", "b", "a"] : null;
        foreach (int size in (int[])[0, 1, 3, 1017, 70_000, 1_000_000])
        {
            byte[] page = Page(size);
            string key = "key" + size;
            await (asSequence
                ? Buffers(app).SetAsync(key, Split(page), tags, Minute, default)
                : app.Store.SetAsync(key, page, tags, Minute, default));
            Assert.Equal(page, await app.Store.GetAsync(key, default));

            var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
            Assert.True(await Buffers(app).TryGetAsync(key, pipe.Writer, default));
            Assert.Equal(page, pipe.Reader.TryRead(out ReadResult read) ? read.Buffer.ToArray() : []);
        }

        Assert.Equal(6, app.Statistics.Stored);
    }

    [MemcachedFact]
    public async Task A_page_ends_at_its_millisecond()
    {
        var clock = new ManualTimeProvider();
        await using PageApp app = await StartAsync(clock);
        foreach (int milliseconds in (int[])[1, 5, 1500])
        {
            await app.Store.SetAsync("key", Page(3), ["a"], TimeSpan.FromMilliseconds(milliseconds), default);
            clock.Advance(TimeSpan.FromMilliseconds(milliseconds - 1));
            Assert.NotNull(await app.Store.GetAsync("key", default));
            clock.Advance(TimeSpan.FromMilliseconds(1));
            Assert.Null(await app.Store.GetAsync("key", default));
        }
    }

    [MemcachedFact]
    public async Task A_page_without_a_life_replaces_the_one_before_by_nothing()
    {
        await using PageApp app = await StartAsync();
        foreach (TimeSpan none in (TimeSpan[])[TimeSpan.Zero, TimeSpan.FromSeconds(-1), TimeSpan.MinValue])
        {
            await app.Store.SetAsync("key", Page(3), null, TimeSpan.MaxValue, default);
            Assert.NotNull(await app.Store.GetAsync("key", default));
            await app.Store.SetAsync("key", Page(4), null, none, default);
            Assert.Null(await app.Store.GetAsync("key", default));
        }
    }

    [MemcachedFact]
    public async Task Bad_arguments_are_named()
    {
        await using PageApp app = await StartAsync();
        await Assert.ThrowsAsync<ArgumentNullException>("key", async () => await app.Store.SetAsync(null!, Page(1), null, Minute, default));
        await Assert.ThrowsAsync<ArgumentNullException>("key", async () => await app.Store.GetAsync(null!, default));
        await Assert.ThrowsAsync<ArgumentException>("key", async () => await app.Store.GetAsync("", default));
        await Assert.ThrowsAsync<ArgumentNullException>("value", async () => await app.Store.SetAsync("key", null!, null, Minute, default));
        await Assert.ThrowsAsync<ArgumentException>("tags", async () => await app.Store.SetAsync("key", Page(1), [null!], Minute, default));
        await Assert.ThrowsAsync<ArgumentNullException>("tag", async () => await app.Store.EvictByTagAsync(null!, default));
        await Assert.ThrowsAsync<ArgumentNullException>("destination", async () => await Buffers(app).TryGetAsync("key", null!, default));
    }

    [MemcachedFact]
    public async Task A_cancelled_caller_hears_of_it()
    {
        await using PageApp app = await StartAsync();
        var cancelled = new CancellationToken(canceled: true);
        await app.Store.SetAsync("key", Page(1), ["a"], Minute, default);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await app.Store.GetAsync("key", cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Buffers(app).TryGetAsync("key", new Pipe().Writer, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await app.Store.SetAsync("key", Page(2), ["a"], Minute, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await app.Store.EvictByTagAsync("a", cancelled));
        Assert.Equal(Page(1), await app.Store.GetAsync("key", default));
    }

    [MemcachedFact]
    public async Task A_tag_evicts_all_its_pages_and_no_other()
    {
        await using PageApp app = await StartAsync();
        await app.Store.SetAsync("none", Page(1), null, Minute, default);
        await app.Store.SetAsync("a", Page(1), ["a"], Minute, default);
        await app.Store.SetAsync("a2", Page(1), ["a"], Minute, default);
        await app.Store.SetAsync("b", Page(1), ["b"], Minute, default);
        await app.Store.SetAsync("ab", Page(1), ["a", "b"], Minute, default);
        Assert.Equal("none a a2 b ab", await FoundAsync(app));

        // Twice, for a tag may have no pages; one that never had any is evicted too.
        for (int i = 0; i < 2; i++)
        {
            await app.EvictAsync("a");
            await app.EvictAsync("never used");
            Assert.Equal("none b", await FoundAsync(app));
        }

        await app.EvictAsync("b");
        Assert.Equal("none", await FoundAsync(app));
        await app.EvictAsync("none");
        Assert.Equal("none", await FoundAsync(app));

        // What is stored after that is there, tags and keys as before.
        await app.Store.SetAsync("ab", Page(1), ["a", "b"], Minute, default);
        await app.Store.SetAsync("new", Page(1), ["a"], Minute, default);
        Assert.Equal("none ab", await FoundAsync(app));
        Assert.NotNull(await app.Store.GetAsync("new", default));
    }

    [MemcachedFact]
    public async Task Any_text_is_a_key_and_a_tag_and_no_two_meet()
    {
        await using PageApp app = await StartAsync();
        string[] texts = ["a", "A", "a ", " ", "\0", "GET\x1eHTTP\x1eHOST/P\x1eQ\x1eA=1\x1f2", "GET\x1eHTTP\x1eHOST/P\x1eQ\x1eA=1\x1f3", "\ud83d", "\ude00", "\ud83d\ude00", "\ufffd", "\u00e9", "e\u0301", new('k', 250), new('k', 100_000), new('k', 100_001), "q", "qa", "t" + new string('0', 64)];
        for (int i = 0; i < texts.Length; i++)
        {
            await app.Store.SetAsync(texts[i], Page(i + 1), [texts[i]], Minute, default);
        }

        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Equal(i + 1, (await app.Store.GetAsync(texts[i], default))?.Length);
        }

        for (int i = 0; i < texts.Length; i++)
        {
            await app.EvictAsync(texts[i]);
            Assert.Null(await app.Store.GetAsync(texts[i], default));
            Assert.All(texts[(i + 1)..], text => Assert.NotNull(app.Store.GetAsync(text, default).AsTask().Result));
        }
    }

    [MemcachedFact]
    public async Task Pages_do_not_meet_the_applications_own_entries()
    {
        await using PageApp app = await StartAsync();
        await app.Store.SetAsync("key", Page(3), ["tag"], Minute, default);
        foreach (string key in (string[])["key", "qkey", "output-cache\0qkey", PageApp.VersionKey("tag")])
        {
            Assert.Null(await app.Cache.GetAsync(key));
            await app.Cache.SetAsync(key, Page(1), new DistributedCacheEntryOptions());
            await app.Cache.RemoveAsync(key);
        }

        Assert.Equal(Page(3), await app.Store.GetAsync("key", default));
    }

    [MemcachedFact]
    public async Task A_tag_whose_version_is_lost_brings_no_page_back()
    {
        await using PageApp app = await StartAsync();
        await app.Store.SetAsync("key", Page(1), ["a"], Minute, default);
        byte[] version = (await app.Pages.GetAsync(PageApp.VersionKey("a")))!;
        await app.Pages.RemoveAsync(PageApp.VersionKey("a"));
        Assert.Null(await app.Store.GetAsync("key", default));
        await app.EvictAsync("a");
        Assert.Null(await app.Store.GetAsync("key", default));
        await app.Store.SetAsync("key2", Page(1), ["a"], Minute, default);
        Assert.NotNull(await app.Store.GetAsync("key2", default));
        Assert.NotEqual(version, await app.Pages.GetAsync(PageApp.VersionKey("a")));
        Assert.Null(await app.Store.GetAsync("key", default));
    }

    [MemcachedFact]
    public async Task What_another_wrote_in_our_place_is_a_miss()
    {
        await using PageApp app = await StartAsync();
        await app.Store.SetAsync("key", Page(9), ["a"], Minute, default);
        byte[] stored = (await app.Pages.GetAsync("qkey"))!;
        byte[][] spoiled = [[], [0xA2], [0xA2, 0], [0xA2, 0, 1], [0xA2, 0xff, 0xff, 1, 2, 3], [0, .. stored[1..]], [0xA2, 0, 2, .. stored[3..]], [0xA1, .. stored[1..3], .. stored[7..]], "hello"u8.ToArray()];
        foreach (byte[] bytes in spoiled)
        {
            await app.Pages.SetAsync("qkey", bytes, new DistributedCacheEntryOptions());
            Assert.Null(await app.Store.GetAsync("key", default));
        }

        await app.Pages.SetAsync("qkey", stored, new DistributedCacheEntryOptions());
        Assert.Equal(Page(9), await app.Store.GetAsync("key", default));
        await app.Pages.SetAsync(PageApp.VersionKey("a"), [1, 2, 3], new DistributedCacheEntryOptions());
        Assert.Null(await app.Store.GetAsync("key", default));
        await app.EvictAsync("a");
        Assert.Null(await app.Store.GetAsync("key", default));
        await app.Store.SetAsync("key", Page(9), ["a"], Minute, default);
        Assert.Equal(Page(9), await app.Store.GetAsync("key", default));
    }

    [MemcachedFact]
    public async Task An_eviction_between_look_up_and_store_wins()
    {
        string space = PageApp.NewNamespace();
        await using PageApp one = await StartAsync(keyNamespace: space);
        await using PageApp other = await StartAsync(keyNamespace: space);
        foreach (PageApp evictor in (PageApp[])[one, other])
        {
            for (int round = 0; round < 3; round++)
            {
                Assert.Null(await one.Store.GetAsync("key", default));
                await evictor.EvictAsync("a");
                await one.Store.SetAsync("key", Page(1), ["a"], Minute, default);
                Assert.Null(await one.Store.GetAsync("key", default));
                Assert.Null(await other.Store.GetAsync("key", default));
            }
        }

        Assert.InRange(one.Statistics.Outdated, 1, 6);
        await one.Store.SetAsync("key", Page(1), ["a"], Minute, default);
        Assert.NotNull(await other.Store.GetAsync("key", default));
    }

    [MemcachedFact]
    public async Task Who_looks_once_and_stores_often_is_not_held_to_the_first_look()
    {
        await using PageApp app = await StartAsync();
        Assert.Null(await app.Store.GetAsync("key", default));
        for (int i = 0; i < 3; i++)
        {
            await app.Store.SetAsync("key", Page(1), ["a"], Minute, default);
            await app.EvictAsync("a");
            Assert.Null(await Task.Run(() => app.Store.GetAsync("key", default).AsTask()));
        }

        await app.Store.SetAsync("key", Page(1), ["a"], Minute, default);
        Assert.NotNull(await app.Store.GetAsync("key", default));
    }

    [MemcachedFact]
    public async Task A_cache_whose_limit_not_even_a_version_keeps_throws_nothing()
    {
        await using PageApp app = await PageApp.StartAsync(nodes.ConnectionString, static _ => { }, null, static services => Microsoft.Extensions.DependencyInjection.OptionsServiceCollectionExtensions.Configure<MemcachedCacheOptions>(services, static options => options.MaximumValueBytes = 10));
        Assert.Null(await app.Store.GetAsync("key", default));
        await app.Store.SetAsync("key", Page(1), ["a"], Minute, default);
        await app.EvictAsync("a");
        Assert.Null(await app.Store.GetAsync("key", default));
    }

    [MemcachedFact]
    public async Task A_cache_that_is_gone_is_a_miss()
    {
        await using PageApp app = await StartAsync();
        await app.Store.SetAsync("key", Page(1), ["a"], Minute, default);
        await app.Cache.DisposeAsync();
        Assert.Null(await app.Store.GetAsync("key", default));
        await app.Store.SetAsync("key", Page(1), ["a"], Minute, default);
        await app.EvictAsync("a");
        Assert.Equal(3, app.Statistics.Failures);
    }

    private static IOutputCacheBufferStore Buffers(PageApp app) => (IOutputCacheBufferStore)app.Store;

    private static byte[] Page(int size)
    {
        byte[] page = new byte[size];
        new Random(size).NextBytes(page);
        return page;
    }

    private static ReadOnlySequence<byte> Split(byte[] page)
    {
        var pipe = new Pipe(new PipeOptions(minimumSegmentSize: 1, pauseWriterThreshold: 0));
        for (int at = 0; at < page.Length; at += 4000)
        {
            pipe.Writer.Write(page.AsSpan(at, Math.Min(4000, page.Length - at)));
        }

        pipe.Writer.Complete();
        Assert.True(pipe.Reader.TryRead(out ReadResult result));
        return result.Buffer;
    }

    private static async Task<string> FoundAsync(PageApp app)
    {
        var found = new List<string>();
        foreach (string key in (string[])["none", "a", "a2", "b", "ab"])
        {
            if (await app.Store.GetAsync(key, default) is not null)
            {
                found.Add(key);
            }
        }

        return string.Join(' ', found);
    }

    private Task<PageApp> StartAsync(TimeProvider? clock = null, string? keyNamespace = null)
        => PageApp.StartAsync(
            nodes.ConnectionString,
            static _ => { },
            keyNamespace,
            services =>
                Microsoft.Extensions.DependencyInjection.ServiceCollectionServiceExtensions.AddSingleton(
                    services,
                    clock ?? TimeProvider.System));
}
