using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace MemcachedDistributedCache.AotSmoke;

/// <summary>The hybrid cache, with values of every kind.</summary>
internal static class HybridChecks
{
    private static readonly HybridCacheEntryOptions FromCluster = new() { Flags = HybridCacheEntryFlags.DisableLocalCacheRead };

    public static async Task RunAsync(IServiceProvider services)
    {
        Check.That(typeof(HybridCache).Assembly.GetName().Version is { Major: >= 11 }, "the package's own assemblies take the place of the shared framework's");
        var cache = services.GetRequiredService<MemcachedHybridCache>();
        await ComesBackAsync(cache, "text", "sev\ud83d\ude00en", "eight", StringComparer.Ordinal.Equals);
        await ComesBackAsync(cache, "bytes", new byte[] { 7 }, [8], static (left, right) => left.AsSpan().SequenceEqual(right));
        await ComesBackAsync(cache, "number", 7, 8);
        await ComesBackAsync(cache, "struct", new Plain(7, 77), new Plain(8, 88));
        await ComesBackAsync(cache, "record", new Immutable(7, "seven"), new Immutable(8, "eight"));
        await ComesBackAsync(cache, "array", new Immutable[] { new(7, "seven") }, [], static (left, right) => left.AsSpan().SequenceEqual(right));
        await ComesBackAsync(cache, "class", Make(7), Make(8), static (left, right) => left.Number == right.Number && left.Words.SequenceEqual(right.Words));
        await ComesBackAsync(cache, "handmade", new Handmade(7), new Handmade(8));
        await SharingAsync(cache);
        await TagsAsync(cache);
        await BatchAsync(cache);
        await FormsAsync(cache);
        await WithoutMetadataAsync(cache);
    }

    private static Mutable Make(int number) => new() { Number = number, Words = { "a", "b" } };

    private static async Task ComesBackAsync<T>(HybridCache cache, string key, T value, T another, Func<T, T, bool>? equal = null)
    {
        equal ??= EqualityComparer<T>.Default.Equals;
        T made = await cache.GetOrCreateAsync(key, value, static (state, _) => ValueTask.FromResult(state));
        T own = await cache.GetOrCreateAsync(key, another, static (state, _) => ValueTask.FromResult(state));
        T found = await cache.GetOrCreateAsync(key, another, static (state, _) => ValueTask.FromResult(state), FromCluster);
        Check.That(equal(made, value) && equal(own, value), $"the process has its own copy of a {typeof(T)}");
        Check.That(equal(found, value), $"the hybrid cache finds in the cluster the {typeof(T)} that it made");

        await cache.SetAsync(key, another);
        found = await cache.GetOrCreateAsync(key, value, static (state, _) => ValueTask.FromResult(state), FromCluster);
        Check.That(equal(found, another), $"a {typeof(T)} that was set takes the place of the one before");
    }

    private static async Task SharingAsync(HybridCache cache)
    {
        static ValueTask<T> Never<T>(CancellationToken cancellationToken) => throw new InvalidOperationException("The factory ran although there is a value.");

        Immutable shared = await cache.GetOrCreateAsync("record", Never<Immutable>);
        Check.That(ReferenceEquals(shared, await cache.GetOrCreateAsync("record", Never<Immutable>)), "callers share an object that cannot be changed");

        Mutable own = await cache.GetOrCreateAsync("class", Never<Mutable>);
        own.Words.Clear();
        Mutable next = await cache.GetOrCreateAsync("class", Never<Mutable>);
        Check.That(next.Words.Count == 2, "what a caller does to its own object reaches no other");
    }

    private static async Task TagsAsync(HybridCache cache)
    {
        string[] tags = ["smoke", "fire"];
        int made = await cache.GetOrCreateAsync("tagged", static _ => ValueTask.FromResult(1), tags: tags);
        int kept = await cache.GetOrCreateAsync("tagged", static _ => ValueTask.FromResult(2), tags: tags);
        Check.That(made == 1 && kept == 1, "an entry with tags is kept");
        await cache.RemoveByTagAsync("fire");
        Check.That(await cache.GetOrCreateAsync("tagged", static _ => ValueTask.FromResult(3), tags: tags) == 3, "an invalidated entry is made anew");
        await cache.RemoveByTagAsync("*");
        Check.That(await cache.GetOrCreateAsync("tagged", static _ => ValueTask.FromResult(4), tags: tags) == 4, "so is every entry when all are invalidated");
    }

    private static async Task BatchAsync(MemcachedHybridCache cache)
    {
        static ValueTask<IReadOnlyDictionary<string, Plain>> MakeAll(IReadOnlyList<string> keys, CancellationToken cancellationToken)
            => ValueTask.FromResult<IReadOnlyDictionary<string, Plain>>(keys.ToDictionary(static key => key, static key => new Plain(key.Length, key[^1])));

        IReadOnlyDictionary<string, Plain> made = await cache.GetOrCreateManyAsync(["batch:1", "batch:2"], MakeAll);
        Check.That(made.Count == 2 && made["batch:2"] == new Plain(7, '2'), "a batch makes what is missing");
        IReadOnlyDictionary<string, Plain> found = await cache.GetOrCreateManyAsync<Plain>(
            ["batch:1", "batch:2", "batch:3"],
            static (keys, _) => keys is ["batch:3"]
                ? ValueTask.FromResult<IReadOnlyDictionary<string, Plain>>(new Dictionary<string, Plain>(StringComparer.Ordinal))
                : throw new InvalidOperationException("The factory was asked for " + string.Join(", ", keys) + "."),
            FromCluster);
        Check.That(found.Count == 2 && found["batch:1"] == new Plain(7, '1'), "a batch finds in the cluster what another has made");
    }

    private static async Task FormsAsync(MemcachedHybridCache cache)
    {
        Immutable chosen = await cache.GetOrCreateAsync(
            "chosen",
            new Immutable(1, "one"),
            static (state, context, _) =>
            {
                context.Flags = HybridCacheEntryFlags.DisableLocalCacheWrite | HybridCacheEntryFlags.DisableDistributedCacheWrite;
                return ValueTask.FromResult(state);
            });
        MemcachedHybridResult<Immutable> again = await cache.GetOrCreateWithSourceAsync(
            "chosen",
            0,
            static (_, _) => ValueTask.FromResult(new Immutable(2, "two")));
        Check.That(
            chosen.Number == 1 && again is { Value.Number: 2, Source: MemcachedHybridSource.Factory },
            "a factory can choose that its value is not kept");

        int number = 7;
        Check.That(
            await cache.GetOrCreateAsync($"span:{number}", static _ => ValueTask.FromResult(1)) == 1
                && await cache.GetOrCreateAsync("span:7", static _ => ValueTask.FromResult(2)) == 1,
            "an interpolated key is the same as its text");

        await cache.RemoveAsync("span:7");
        Check.That(await cache.GetOrCreateAsync("span:7", static _ => ValueTask.FromResult(3)) == 3, "a removed entry is made anew");
    }

    private static async Task WithoutMetadataAsync(HybridCache cache)
    {
        try
        {
            await cache.GetOrCreateAsync("unlisted", static _ => ValueTask.FromResult(new Unlisted(1)));
            Check.That(false, "a type that no serializer knows is refused");
        }
        catch (InvalidOperationException exception) when (exception.Message.Contains("JsonSerializerOptions", StringComparison.Ordinal))
        {
            Check.That(exception.Message.Contains(nameof(Unlisted), StringComparison.Ordinal), "the message names the type");
        }
    }
}
