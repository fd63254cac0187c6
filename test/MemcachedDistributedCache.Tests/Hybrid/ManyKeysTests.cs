using System.Collections;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using Microsoft.Extensions.Caching.Hybrid;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>Calls with many keys or tags: how many requests are under way at once, and how often a factory runs.</summary>
public sealed class ManyKeysTests : IDisposable
{
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private readonly HybridRig _one;
    private readonly HybridRig _other;
    private int _running;
    private int _most;

    public ManyKeysTests()
    {
        _one = new HybridRig(_model, static settings => (settings.MaximumLocalBytes, settings.MaximumLocalEntries) = (100_000_000, 100_000));
        _other = new HybridRig(_model);
        _one.Client.Hold = async (_, _) =>
        {
            int now = Interlocked.Increment(ref _running);
            for (int most = _most; now > most && Interlocked.CompareExchange(ref _most, now, most) != most; most = _most)
            {
            }

            await Task.Yield();
            Interlocked.Decrement(ref _running);
        };
    }

    public void Dispose()
    {
        _one.Dispose();
        _other.Dispose();
    }

    [Theory]
    [InlineData(HybridCacheEntryFlags.None)]
    [InlineData(HybridCacheEntryFlags.DisableDistributedCache)]
    [InlineData(HybridCacheEntryFlags.DisableDistributedCacheRead)]
    [InlineData(HybridCacheEntryFlags.DisableDistributedCacheWrite)]
    [InlineData(HybridCacheEntryFlags.DisableLocalCache)]
    public async Task Many_keys_are_made_by_one_run_within_the_bound(HybridCacheEntryFlags flags)
    {
        // Leases are timers, of which the clock of tests does not take so many.
        int many = flags is HybridCacheEntryFlags.DisableDistributedCache or HybridCacheEntryFlags.DisableDistributedCacheWrite ? 50_000 : 5000;
        string[] keys = Keys(many);
        IReadOnlyDictionary<string, int> made = await Get(_one, keys, 1, flags);
        Assert.Equal((many, 1L), (made.Count, _one[HybridEvent.FactoryRun]));
        Assert.InRange(_most, 0, FanOutWidth.Largest.Requests + 5); // and the tag of all entries
        if (flags == HybridCacheEntryFlags.DisableDistributedCache)
        {
            Assert.DoesNotContain(_one.Client.Calls, static call => call.Key.StartsWith("#=", StringComparison.Ordinal));
        }

        IReadOnlyDictionary<string, int> again = await Get(_one, keys, 2, flags);
        Assert.Equal((many, 1L), (again.Count, _one[HybridEvent.FactoryRun]));
        Assert.All(again, static pair => Assert.Equal(1, pair.Value));
        Assert.InRange(_most, 0, FanOutWidth.Largest.Requests + 5);
    }

    [Fact]
    public async Task Copies_are_confirmed_within_the_bound_and_what_has_changed_is_made_by_one_run()
    {
        string[] keys = Keys(2000);
        await Get(_one, keys, 1);
        _one.Pass(2);
        Assert.All(await Get(_one, keys, 2), static pair => Assert.Equal(1, pair.Value));
        Assert.Equal((1L, 2000L), (_one[HybridEvent.FactoryRun], _one[HybridEvent.Revalidated]));
        foreach (string key in keys[..1500])
        {
            _model.Delete("#=" + key, cas: null);
        }

        _one.Pass(2);
        IReadOnlyDictionary<string, int> made = await Get(_one, keys, 3);
        Assert.Equal((1500, 500), (made.Values.Count(static value => value == 3), made.Values.Count(static value => value == 1)));
        Assert.Equal(2, _one[HybridEvent.FactoryRun]);
        Assert.InRange(_most, 1, FanOutWidth.Largest.Requests + 5);
    }

    [Fact]
    public async Task Invalidated_entries_are_made_anew_by_one_run()
    {
        string[] keys = Keys(2000);
        await Get(_one, keys, 1, tags: "tag");
        await _one.Parts.Tags.InvalidateAsync("tag");
        Assert.All(await Get(_one, keys, 2, tags: "tag"), static pair => Assert.Equal(2, pair.Value));
        Assert.Equal(2, _one[HybridEvent.FactoryRun]);
        _other.Pass(2);
        Assert.All(await Get(_other, keys, 3, tags: "tag"), static pair => Assert.Equal(2, pair.Value));
        Assert.Equal(0, _other[HybridEvent.FactoryRun]);
    }

    [Fact]
    public async Task An_outage_is_one_run_as_well()
    {
        _one.Client.IsAway = true;
        await Get(_one, Keys(2000), 1);
        Assert.Equal(1, _one[HybridEvent.FactoryRun]);
        Assert.All(await Get(_one, Keys(2000), 2), static pair => Assert.Equal(1, pair.Value));
    }

    [Fact]
    public async Task What_another_process_makes_is_waited_for_together()
    {
        string[] keys = Keys(1000);
        var begun = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        Task<IReadOnlyDictionary<string, int>> first = Get(_other, keys, async missing =>
        {
            begun.SetResult();
            await go.Task;
            return missing.ToDictionary(static key => key, static _ => 1);
        });
        await begun.Task;
        Task<IReadOnlyDictionary<string, int>> second = Get(
            _one,
            [.. keys, "mine"],
            static missing => Task.FromResult(missing.ToDictionary(static key => key, static _ => 2)));
        await Eventually.True(() => _one[HybridEvent.LeaseWaited] == 1000, "it waits");
        Assert.Equal(1, _one[HybridEvent.FactoryRun]);
        go.SetResult();
        await first;
        await Eventually.True(() => Passed(second), "the wait ends");

        Assert.Equal((1000, 1), ((await second).Values.Count(static value => value == 1), (await second).Values.Count(static value => value == 2)));
        Assert.Equal(1, _one[HybridEvent.FactoryRun]);
    }

    [Fact]
    public async Task What_another_process_gives_up_is_made_by_one_more_run()
    {
        string[] keys = Keys(1000);
        var begun = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        Task<IReadOnlyDictionary<string, int>> first = Get(_other, keys, async _ =>
        {
            begun.SetResult();
            await go.Task;
            throw new FormatException();
        });
        await begun.Task;
        Task<IReadOnlyDictionary<string, int>> second = Get(
            _one,
            keys,
            static missing => Task.FromResult(missing.ToDictionary(static key => key, static _ => 2)));
        await Eventually.True(() => _one[HybridEvent.LeaseWaited] == 1000, "it waits");
        go.SetResult();
        await Assert.ThrowsAsync<FormatException>(() => first);
        await Eventually.True(() => Passed(second), "the wait ends");

        Assert.All(await second, static pair => Assert.Equal(2, pair.Value));
        Assert.Equal(1, _one[HybridEvent.FactoryRun]);
    }

    [Fact]
    public async Task Leases_that_come_due_together_are_renewed_within_the_bound()
    {
        string[] keys = Keys(2000);
        var begun = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        Task<IReadOnlyDictionary<string, int>> batch = Get(_one, keys, async missing =>
        {
            begun.SetResult();
            await go.Task;
            return missing.ToDictionary(static key => key, static _ => 1);
        });
        await begun.Task;
        _most = 0;
        _one.Pass(3);
        await Eventually.True(() => _one.Client.Count("cas") == 2000, "all are renewed");
        Assert.InRange(_most, 1, FanOutWidth.Largest.Requests);
        go.SetResult();
        Assert.Equal((2000, 0L), ((await batch).Count, _one[HybridEvent.LeaseLost]));
    }

    [Fact]
    public async Task A_type_that_cannot_be_read_is_made_by_one_run_each_time()
    {
        for (int i = 1; i <= 3; i++)
        {
            var batch = new Batch<FrozenSet<int>>(
                _one.Parts.Batches,
                _one.Parts.Context,
                _one.Options(),
                [],
                static (keys, _) => new(keys.ToDictionary(static key => key, static _ => FrozenSet.ToFrozenSet([1]))));
            Assert.Equal(500, (await batch.RunAsync(Keys(500), CancellationToken.None)).Count);
            Assert.Equal(i, _one[HybridEvent.FactoryRun]);
        }

        Assert.DoesNotContain(_model.Keys, static key => key.StartsWith("#=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_exception_while_keys_are_asked_for_leaves_no_lease()
    {
        _one.Client.Before = static (verb, key) => verb == "lease" && key == "#=key77" ? throw new ObjectDisposedException("client") : null;
        await Assert.ThrowsAsync<ObjectDisposedException>(() => Get(_one, Keys(500), 1));
        Assert.DoesNotContain(_model.Keys, static key => key.StartsWith("#=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_dictionary_that_throws_leaves_no_lease()
    {
        var batch = new Batch<string>(
            _one.Parts.Batches,
            _one.Parts.Context,
            _one.Options(),
            [],
            static (keys, _) => new(new Lazily(keys.ToDictionary(static key => key, static key => key))));
        await Assert.ThrowsAsync<FormatException>(() => batch.RunAsync(["good", "bad", "better"], CancellationToken.None).AsTask());
        Assert.Equal(0, _one.Parts.Remote.Leases.Count);
        Assert.DoesNotContain("#=bad", _model.Keys);
    }

    [Fact]
    public async Task Removals_of_keys_and_tags_hold_at_once_and_are_sent_within_the_bound()
    {
        string[] keys = Keys(5000);
        await Get(_one, keys, 1);
        _most = 0;
        Task removal = _one.Parts.Changes.RemoveAsync(keys);
        Assert.Null(_one.Parts.Local.Find(keys[^1]));
        await removal;
        Assert.DoesNotContain(_model.Keys, static key => key.StartsWith("#=", StringComparison.Ordinal));
        Assert.InRange(_most, 1, FanOutWidth.Largest.Requests);
        _most = 0;
        await _one.Parts.Tags.InvalidateAsync([.. Enumerable.Range(0, 5000).Select(static i => "tag" + i)], FanOutWidth.Largest.Requests);
        Assert.InRange(_most, 1, FanOutWidth.Largest.Requests);
        Assert.Equal(5000, _model.Keys.Count(static key => key.StartsWith("#@tag", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(16_384, 256)]
    [InlineData(100, 25)]
    [InlineData(1, 1)]
    public void The_bound_leaves_room_in_a_connections_queue(int pending, int expected)
    {
        FanOutWidth width = FanOutWidth.Below(pending, 64 << 20, 1 << 20);
        Assert.Equal(expected, width.Requests);
        Assert.InRange(width.Stores, 1, Math.Min(63, expected));
        Assert.Equal(1, FanOutWidth.Below(pending, 65_536, 1 << 30).Stores);
    }

    /// <summary>Makes its values when they are asked for.</summary>
    private sealed class Lazily(IReadOnlyDictionary<string, string> inner) : IReadOnlyDictionary<string, string>
    {
        public IEnumerable<string> Keys => inner.Keys;

        public IEnumerable<string> Values => inner.Values;

        public int Count => inner.Count;

        public string this[string key] => inner[key];

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value)
            => key == "bad" ? throw new FormatException() : inner.TryGetValue(key, out value);

        public bool ContainsKey(string key) => inner.ContainsKey(key);

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => inner.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => inner.GetEnumerator();
    }

    private bool Passed(Task task)
    {
        _one.Pass(0.02);
        return task.IsCompleted;
    }

    private static string[] Keys(int count) => [.. Enumerable.Range(0, count).Select(static i => "key" + i)];

    private static Task<IReadOnlyDictionary<string, int>> Get(
        HybridRig rig,
        string[] keys,
        int value,
        HybridCacheEntryFlags flags = HybridCacheEntryFlags.None,
        params string[] tags)
        => Get(rig, keys, missing => Task.FromResult(missing.ToDictionary(static key => key, _ => value)), flags, tags);

    private static async Task<IReadOnlyDictionary<string, int>> Get(
        HybridRig rig,
        string[] keys,
        Func<IReadOnlyList<string>, Task<Dictionary<string, int>>> factory,
        HybridCacheEntryFlags flags = HybridCacheEntryFlags.None,
        params string[] tags)
    {
        CallOptions options = rig.Options(new HybridCacheEntryOptions { Flags = flags });
        return await new Batch<int>(
            rig.Parts.Batches,
            rig.Parts.Context,
            options,
            tags,
            async (missing, _) => await factory(missing)).RunAsync(keys, CancellationToken.None);
    }
}
