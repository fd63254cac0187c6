using MemcachedDistributedCache.Testing;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.IntegrationTests.Hybrid;

/// <summary>Factories that are given a context and choose how their value is kept: with the promises of all others.</summary>
public sealed class ContextTests(ThreeNodes nodes) : HybridTestBase(nodes)
{
    private const HybridCacheEntryFlags NotStored = HybridCacheEntryFlags.DisableDistributedCacheWrite | HybridCacheEntryFlags.DisableLocalCacheWrite;

    /// <summary>Text, as .NET boxes a number until the method that writes it has been optimized.</summary>
    private static readonly string Id = string.Concat("123", "45");

    [MemcachedTheory]
    [InlineData(KeyForm.Text, false)]
    [InlineData(KeyForm.Text, true)]
    [InlineData(KeyForm.Span, false)]
    [InlineData(KeyForm.Span, true)]
    [InlineData(KeyForm.Interpolated, false)]
    [InlineData(KeyForm.Interpolated, true)]
    public async Task Many_callers_of_two_instances_run_it_once(KeyForm form, bool withState)
    {
        Instance[] pair = Make(2);
        int runs = 0;
        Task<string>[] calls = [.. Enumerable.Range(0, 64).Select(i => Task.Run(() => Ask(pair[i % 2].Cache, form, withState, async (context, token) =>
        {
            Interlocked.Increment(ref runs);
            context.Expiration = TimeSpan.FromMinutes(1);
            await Task.Delay(200, token);
            return "value";
        }).AsTask()))];
        Assert.All(await Task.WhenAll(calls).WaitAsync(Eventually.Limit), static value => Assert.Equal("value", value));
        Assert.Equal(1, runs);
        Assert.Equal(1, pair.Sum(static instance => instance.Statistics.LeasesWon));
    }

    [MemcachedTheory]
    [InlineData(0, false)]
    [InlineData(0, true)]
    [InlineData(1, false)]
    [InlineData(1, true)]
    public async Task A_removal_while_it_runs_wins(int remover, bool staysInTheProcess)
    {
        Instance[] pair = Make(2);
        var begun = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        Task<string> making = pair[0].Cache.GetOrCreateAsync("key", async (context, _) =>
        {
            begun.SetResult();
            await go.Task;
            context.Expiration = TimeSpan.FromMinutes(1);
            context.Flags = staysInTheProcess ? HybridCacheEntryFlags.DisableDistributedCacheWrite : null;
            return "old";
        }).AsTask();
        await begun.Task.WaitAsync(Eventually.Limit);
        await pair[remover].Cache.RemoveAsync("key").AsTask().WaitAsync(Eventually.Limit);
        go.SetResult();
        Assert.Equal("old", await making.WaitAsync(Eventually.Limit));
        foreach (Instance instance in pair)
        {
            Assert.Null(await instance.Peek<string>("key"));
            Assert.Null(await instance.PeekCluster<string>("key"));
        }
    }

    [MemcachedFact]
    public async Task It_sees_the_options_in_effect_and_leaves_them_when_it_changes_nothing()
    {
        Instance one = Make(1, static options => options.Hybrid.DefaultExpiration = TimeSpan.FromMinutes(7))[0];
        var given = new HybridCacheEntryOptions
        {
            Expiration = TimeSpan.FromMinutes(3),
            LocalCacheExpiration = TimeSpan.FromMinutes(2),
            Flags = HybridCacheEntryFlags.DisableLocalCacheRead,
            LocalSize = 1234,
        };
        await one.Cache.GetOrCreateAsync("given", static (context, _) =>
        {
            Assert.Equal((TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(2)), (context.Expiration!.Value, context.LocalCacheExpiration!.Value));
            Assert.Equal((HybridCacheEntryFlags.DisableLocalCacheRead, 1234L), (context.Flags!.Value, context.LocalSize!.Value));
            Assert.Equal(0, context.Revision);
            return new ValueTask<string>("x");
        }, given);
        var kept = one.Cache.Parts.Local.Find("given")!;
        Assert.Equal((180_000, 1234), (kept.ExpiresAt - kept.CreatedAt, kept.Size));

        await one.Cache.GetOrCreateAsync("default", static (context, _) =>
        {
            Assert.Equal((TimeSpan.FromMinutes(7), TimeSpan.FromMinutes(5)), (context.Expiration!.Value, context.LocalCacheExpiration!.Value));
            Assert.Equal((HybridCacheEntryFlags.None, null), (context.Flags!.Value, context.LocalSize));
            return new ValueTask<string>("x");
        });
        kept = one.Cache.Parts.Local.Find("default")!;
        Assert.Equal(420_000, kept.ExpiresAt - kept.CreatedAt);
    }

    [MemcachedFact]
    public async Task It_chooses_how_long_its_value_lives_in_the_cluster_and_in_the_process()
    {
        Instance[] pair = Make(2);
        await pair[0].Cache.GetOrCreateAsync("key", static (context, _) =>
        {
            context.Expiration = TimeSpan.FromMinutes(42);
            context.LocalCacheExpiration = TimeSpan.FromMinutes(1);
            return new ValueTask<string>("x");
        });
        var kept = pair[0].Cache.Parts.Local.Find("key")!;
        Assert.Equal(42 * 60_000, kept.ExpiresAt - kept.CreatedAt);
        Assert.InRange(TimeProvider.System.GetElapsedTime(TimeProvider.System.GetTimestamp(), kept.LocalUntil).TotalSeconds, 0, 60);
        Assert.Equal("x", await pair[1].Peek<string>("key"));
        var read = pair[1].Cache.Parts.Local.Find("key")!;
        Assert.Equal((kept.CreatedAt, kept.ExpiresAt), (read.CreatedAt, read.ExpiresAt));

        // What it takes back is the caller's again, or the expiration's for the local copy.
        await pair[0].Cache.GetOrCreateAsync("null", static (context, _) =>
        {
            context.Expiration = null;
            context.LocalCacheExpiration = null;
            context.Flags = null;
            context.LocalSize = null;
            return new ValueTask<string>("x");
        }, new() { Expiration = TimeSpan.FromMinutes(9), LocalSize = 5000 });
        kept = pair[0].Cache.Parts.Local.Find("null")!;
        Assert.Equal(9 * 60_000, kept.ExpiresAt - kept.CreatedAt);
        Assert.InRange(kept.Size, 1, 1000);
    }

    [MemcachedTheory]
    [InlineData(HybridCacheEntryFlags.None, true, true)]
    [InlineData(HybridCacheEntryFlags.DisableLocalCacheWrite, false, true)]
    [InlineData(HybridCacheEntryFlags.DisableDistributedCacheWrite, true, false)]
    [InlineData(NotStored, false, false)]
    [InlineData(null, false, false)]
    public async Task It_chooses_whether_its_value_is_stored(HybridCacheEntryFlags? flags, bool inTheProcess, bool inTheCluster)
    {
        Instance[] pair = Make(2);
        for (int i = 0; i < 2; i++)
        {
            MemcachedHybridResult<string> made = await pair[0].Cache.GetOrCreateWithSourceAsync("key", flags, static (flags, context, _) =>
            {
                // An expiration that is over is no less clear than flags.
                context.Expiration = flags is null ? TimeSpan.Zero : context.Expiration;
                context.Flags = flags ?? HybridCacheEntryFlags.None;
                return new ValueTask<string>("mine");
            });
            Assert.Equal("mine", made.Value);
            Assert.Equal(
                i == 0 || !(inTheProcess || inTheCluster) ? MemcachedHybridSource.Factory
                    : inTheProcess ? MemcachedHybridSource.LocalCache
                    : MemcachedHybridSource.DistributedCache,
                made.Source);
            Assert.True(i > 0 || pair[0].Cache.Parts.Local.Find("key") is not null == inTheProcess);
            Assert.Equal(inTheCluster ? "mine" : null, await pair[1].PeekCluster<string>("key"));
        }

        // The lease is free at once, so that another instance does not wait.
        Assert.Equal(inTheCluster ? "mine" : "other", await pair[1].Get("key", static _ => new ValueTask<string>("other")).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal(0, pair[1].Statistics.LeasesWaitedFor);
    }

    [MemcachedFact]
    public async Task It_brings_nothing_into_the_cluster_that_its_caller_keeps_out_of_it()
    {
        Instance[] pair = Make(2);
        Assert.Equal(
            "x",
            await pair[0]
                .Cache.GetOrCreateAsync(
                    "key",
                    static (context, _) =>
                    {
                        context.Flags = HybridCacheEntryFlags.None;
                        return new ValueTask<string>("x");
                    },
                    new() { Flags = NotStored }));
        Assert.Equal(
            "x",
            await pair[0]
                .Cache.GetOrCreateAsync<string>(
                    "key",
                    (Func<CancellationToken, ValueTask<string>>)null!,
                    new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData | HybridCacheEntryFlags.DisableDistributedCache }));
        Assert.Null(await pair[1].PeekCluster<string>("key"));
    }

    [MemcachedFact]
    public async Task A_refresh_in_the_background_chooses_too()
    {
        Instance one = Make(1, static options => options.Hybrid.StaleWindow = TimeSpan.FromMinutes(5))[0];
        await one.Cache.SetAsync("key", "old", new() { Expiration = TimeSpan.FromMilliseconds(1) });
        await Eventually.True(async () => await one.Cache.GetOrCreateAsync("key", static (context, _) =>
        {
            context.Expiration = TimeSpan.FromMinutes(42);
            return new ValueTask<string>("new");
        }) == "new", "the refresh has stored its value");
        var kept = one.Cache.Parts.Local.Find("key")!;
        Assert.Equal(42 * 60_000, kept.ExpiresAt - kept.CreatedAt);
    }

    [MemcachedFact]
    public async Task A_size_counts_in_the_bound_of_the_process_whoever_gives_it()
    {
        Instance one = Make(1, static options => (options.Hybrid.MaximumLocalBytes, options.Hybrid.MaximumLocalEntries) = (1_000_000, 1_000_000))[0];
        await one.Cache.SetAsync("set", new byte[10], new() { LocalSize = 900_000 });
        Assert.Equal(900_000, one.Cache.Parts.Local.Find("set")!.Size);
        await one.Cache.GetOrCreateAsync("too much", static (context, _) =>
        {
            context.LocalSize = 200_000;
            return new ValueTask<byte[]>(new byte[10]);
        });
        Assert.Null(one.Cache.Parts.Local.Find("too much"));
        await one.Cache.GetOrCreateAsync("room", static (context, _) =>
        {
            context.LocalSize = 100;
            return new ValueTask<byte[]>(new byte[500_000]);
        });

        // What was refused has begun to make room, on its own time: it may be gone again, but was there to be counted.
        Assert.Equal(500_000, (await one.PeekCluster<byte[]>("room")).Length);
        Assert.Equal(10, (await one.PeekCluster<byte[]>("too much")).Length);
        await one.Cache.GetOrCreateAsync("read", static _ => new ValueTask<byte[]>(new byte[10]), new() { Flags = HybridCacheEntryFlags.DisableLocalCache });
        await one.Cache.GetOrCreateAsync("read", static _ => new ValueTask<byte[]>(new byte[10]), new() { LocalSize = 77 });
        Assert.Equal(77, one.Cache.Parts.Local.Find("read")!.Size);
    }

    [MemcachedFact]
    public async Task A_size_below_zero_is_the_callers_mistake_or_a_factory_that_failed()
    {
        Instance[] pair = Make(2);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () =>
            await pair[0].Get("key", static _ => new ValueTask<int>(1), new() { LocalSize = -1 }));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await pair[0].Cache.SetAsync("key", 1, new() { LocalSize = -1 }));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await pair[0].Cache.GetOrCreateAsync("key", static (context, _) =>
        {
            context.LocalSize = -1;
            return new ValueTask<int>(1);
        }));
        Assert.Equal(1, pair[0].Statistics.FactoryFailures);
        Assert.Equal(2, await pair[1].Get("key", static _ => new ValueTask<int>(2)).AsTask().WaitAsync(Eventually.Limit));
        Assert.Equal(0, pair[1].Statistics.LeasesWaitedFor);
    }

    [MemcachedFact]
    public async Task A_key_that_is_no_string_costs_none_on_a_hit_in_the_process()
    {
        Instance one = Make(1, static options => options.Hybrid.LocalCacheRevalidation = options.Hybrid.TagRefreshInterval = TimeSpan.FromHours(1))[0];
        await one.Cache.SetAsync("product:12345", new Shared(1, "x"), tags: ["products"]);

        // The least of several rounds: what a call costs is in all of them, what the runtime does for itself in some.
        (long texts, long spans, long interpolated) = (long.MaxValue, long.MaxValue, long.MaxValue);
        for (int round = 0; round < 5; round++)
        {
            texts = Math.Min(
                texts,
                BytesOf(
                    one.Cache,
                    static (cache, _)
                        => cache.GetOrCreateAsync("product:12345", 0, static (_, _, _) => new ValueTask<Shared>((Shared)null!))));
            spans = Math.Min(
                spans,
                BytesOf(
                    one.Cache,
                    static (cache, i)
                        => cache.GetOrCreateAsync("product:123456".AsSpan(0, i), 0, static (_, _, _) => new ValueTask<Shared>((Shared)null!))));
            interpolated = Math.Min(
                interpolated,
                BytesOf(
                    one.Cache,
                    static (cache, _) => cache.GetOrCreateAsync($"product:{Id}", 0, static (_, _) => new ValueTask<Shared>((Shared)null!))));
        }

        Assert.Equal((0, 0, 0), (texts, spans, interpolated));
        Assert.Equal(0, one.Statistics.FactoryRuns);
        Assert.Equal(0, one.Statistics.LocalMisses);
    }

    [MemcachedFact]
    public async Task A_key_that_is_no_string_is_the_same_as_the_string()
    {
        Instance[] pair = Make(2);
        char[] key = [.. "product:7"];
        Task<Mutable> made = pair[0].Cache.GetOrCreateAsync(key.AsSpan(), async token =>
        {
            await Task.Delay(50, token);
            return new Mutable { Number = 7 };
        }).AsTask();

        // The caller's array is its own again when the call returns.
        key.AsSpan().Fill('x');
        Assert.Equal(7, (await made.WaitAsync(Eventually.Limit)).Number);
        Assert.Equal(7, (await pair[0].Peek<Mutable>("product:7")).Number);
        int id = 7;
        Assert.Equal(
            7,
            (
                await pair[1]
                    .Cache.GetOrCreateAsync<Mutable>($"product:{id}", static _ => throw new InvalidOperationException("it is there"))).Number);
        Assert.Equal(1, await pair[0].Cache.GetOrCreateAsync("".AsSpan(), static _ => new ValueTask<int>(1)));

        // A copy that is of another type is forgotten, and made anew.
        Assert.Equal(8, await pair[0].Cache.GetOrCreateAsync("product:7".AsSpan(), static _ => new ValueTask<int>(8)).AsTask().WaitAsync(Eventually.Limit));
    }

    [MemcachedFact]
    public async Task No_factory_is_needed_where_none_is_to_run()
    {
        MemcachedHybridCache cache = Make(1)[0].Cache;
        var peek = new HybridCacheEntryOptions { Flags = HybridCacheEntryFlags.DisableUnderlyingData };
        Func<CancellationToken, ValueTask<string>> plain = null!;
        Func<int, CancellationToken, ValueTask<string>> withState = null!;
        Func<int, HybridCacheEntryContext, CancellationToken, ValueTask<string>> choosing = null!;
        Func<IServiceProvider, CancellationToken, ValueTask<string>> scoped = null!;
        Func<int, IServiceProvider, CancellationToken, ValueTask<string>> scopedWithState = null!;
        Func<IReadOnlyList<string>, CancellationToken, ValueTask<IReadOnlyDictionary<string, string>>> many = null!;
        foreach (string? expected in (string?[])[null, "x"])
        {
            Assert.Equal(expected, await cache.GetOrCreateAsync("key", 0, withState, peek));
            Assert.Equal(expected, await cache.GetOrCreateAsync("key", 0, choosing, peek));
            Assert.Equal(expected, await cache.GetOrCreateAsync("key".AsSpan(), 0, withState, peek));
            Assert.Equal(expected, await cache.GetOrCreateAsync("key".AsSpan(), 0, choosing, peek));
            Assert.Equal(expected, (await cache.GetOrCreateWithSourceAsync("key", 0, withState, peek)).Value);
            Assert.Equal(expected, (await cache.GetOrCreateWithSourceAsync("key", 0, choosing, peek)).Value);
            Assert.Equal(expected, await cache.GetOrCreateScopedAsync("key", scoped, peek));
            Assert.Equal(expected, await cache.GetOrCreateScopedAsync("key", 0, scopedWithState, peek));
            Assert.Equal(expected is null ? [] : ["key"], (await cache.GetOrCreateManyAsync(["key", "none"], many, peek)).Keys);
            Assert.Null(await cache.GetOrCreateAsync("", 0, withState, peek));
            await cache.SetAsync("key", "x");
        }

        Assert.Equal("x", await cache.GetOrCreateAsync("key", plain, peek));
        await cache.RemoveAsync("key");
        foreach (HybridCacheEntryOptions? makes in (HybridCacheEntryOptions?[])[null, new()])
        {
            await Assert.ThrowsAsync<ArgumentNullException>("factory", async () => await cache.GetOrCreateAsync("key", 0, withState, makes));
            await Assert.ThrowsAsync<ArgumentNullException>("factory", async () => await cache.GetOrCreateAsync("key", 0, choosing, makes));
            await Assert.ThrowsAsync<ArgumentNullException>("factory", async () => await cache.GetOrCreateAsync("key".AsSpan(), 0, choosing, makes));
            await Assert.ThrowsAsync<ArgumentNullException>("factory", async () => await cache.GetOrCreateWithSourceAsync("key", 0, withState, makes));
            await Assert.ThrowsAsync<ArgumentNullException>("factory", async () => await cache.GetOrCreateScopedAsync("key", scoped, makes));
            await Assert.ThrowsAsync<ArgumentNullException>("factory", async () => await cache.GetOrCreateScopedAsync("key", 0, scopedWithState, makes));
            await Assert.ThrowsAsync<ArgumentNullException>("factory", async () => await cache.GetOrCreateManyAsync(["key"], many, makes));
        }
    }

    private static ValueTask<string> Ask(
        HybridCache cache,
        KeyForm form,
        bool withState,
        Func<HybridCacheEntryContext, CancellationToken, ValueTask<string>> factory)
    {
        int id = 7;
        return (form, withState) switch
        {
            (KeyForm.Text, false) => cache.GetOrCreateAsync("cold:7", factory),
            (KeyForm.Text, true) => cache.GetOrCreateAsync("cold:7", factory, static (make, context, token) => make(context, token)),
            (KeyForm.Span, false) => cache.GetOrCreateAsync("cold:77".AsSpan(0, 6), factory),
            (KeyForm.Span, true) => cache.GetOrCreateAsync("cold:77".AsSpan(0, 6), factory, static (make, context, token) => make(context, token)),
            (_, false) => cache.GetOrCreateAsync($"cold:{id}", factory),
            (_, true) => cache.GetOrCreateAsync($"cold:{id}", factory, static (make, context, token) => make(context, token)),
        };
    }

    private static long BytesOf(MemcachedHybridCache cache, Func<MemcachedHybridCache, int, ValueTask<Shared>> ask)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            Take(ask(cache, 13));
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static void Take(ValueTask<Shared> hit)
    {
        if (!hit.IsCompletedSuccessfully || hit.Result is null)
        {
            throw new InvalidOperationException("It is not there.");
        }
    }
}

/// <summary>How a key is given.</summary>
public enum KeyForm
{
    Text,
    Span,
    Interpolated,
}
