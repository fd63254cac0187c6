using MemcachedDistributedCache.Connections;
using MemcachedDistributedCache.Hybrid;
using MemcachedDistributedCache.Telemetry;
using MemcachedDistributedCache.Testing;
using MemcachedDistributedCache.Tests.Fakes;
using MemcachedDistributedCache.Vocabulary;

namespace MemcachedDistributedCache.Tests.Hybrid;

/// <summary>Entries that are newer than what a process knows of their tags. The clock stands still, so no interval ends.</summary>
public sealed class NewerEntryTests : IDisposable
{
    private readonly HybridModel _model = new(new ManualTimeProvider());
    private readonly List<HybridRig> _rigs = [];

    public void Dispose() => _rigs.ForEach(static rig => rig.Dispose());

    [Theory]
    [InlineData("t")]
    [InlineData("*")]
    public async Task An_entry_made_after_an_invalidation_elsewhere_is_used_and_stays(string tag)
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("warm", "old", "t");
        Assert.Equal("old", await other.Peek("warm"));
        for (int round = 0; round < 20; round++)
        {
            await one.Parts.Tags.InvalidateAsync(tag);
            await one.Set("key" + round, "new", "t");
            Assert.Equal("new", await other.Get("key" + round, "never", "t"));
            Assert.Equal("new", await one.Get("key" + round, "never", "t"));
        }

        // The process that was behind knows better now.
        Assert.Null(await other.Peek("warm"));
        Assert.Equal(0, other[HybridEvent.FactoryRun]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public async Task An_entry_that_is_newer_in_one_tag_is_used_though_its_other_tags_are_to_be_read_too(int interval)
    {
        HybridRig one = New(s => s.TagRefreshInterval = TimeSpan.FromSeconds(interval));
        HybridRig other = New(s => s.TagRefreshInterval = TimeSpan.FromSeconds(interval));
        await one.Set("warm", "old", "a", "b");
        Assert.Equal("old", await other.Peek("warm"));
        one.Pass(5);
        await one.Parts.Tags.InvalidateAsync("a");
        await one.Set("key", "new", "a", "b");
        other.Client.Hold = async (_, _) =>
        {
            await Task.Delay(2);
            one.Pass(interval == 0 ? 0.001 : 0);
        };
        Assert.Equal("new", await other.Get("key", "never"));
        Assert.Equal(0, other[HybridEvent.FactoryRun]);
    }

    [Fact]
    public async Task A_batch_uses_what_is_newer_and_asks_once()
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("warm", "old", "t");
        Assert.Equal("old", await other.Peek("warm"));
        await one.Parts.Tags.InvalidateAsync("t");
        string[] keys = [.. Enumerable.Range(0, 50).Select(static i => "key" + i)];
        foreach (string key in keys)
        {
            await one.Set(key, key, "t");
        }

        int before = other.Client.Count("get", "#@t");
        var batch = new Batch<string>(
            other.Parts.Batches,
            other.Parts.Context,
            other.Options(),
            ["t"],
            static (_, _) => throw new InvalidOperationException("not to be run"));
        IReadOnlyDictionary<string, string> found = await batch.RunAsync(keys, CancellationToken.None);
        Assert.All(keys, key => Assert.Equal(key, found[key]));
        Assert.Equal(1, other.Client.Count("get", "#@t") - before);
    }

    [Fact]
    public async Task A_read_that_was_sent_before_the_entry_was_read_decides_nothing()
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("warm", "old", "t");
        Assert.Equal("old", await other.Peek("warm"));
        other.Pass(0.9);
        OperationResult old = _model.Get("#@t", other.Client.Origin);
        var held = new TaskCompletionSource();
        other.Client.Hold = (verb, key) => verb == "get" && key == "#@t" ? held.Task : Task.CompletedTask;
        bool isFirst = true;
        other.Client.Before = (verb, key) => verb == "get" && key == "#@t" && Interlocked.Exchange(ref isFirst, false) ? old : null;
        Assert.Equal("old", await other.Peek("warm")); // reads ahead of time, and is held up
        await one.Parts.Tags.InvalidateAsync("t");
        await one.Set("key", "new", "t");
        Task<string> reading = other.Get("key", "never", "t");
        await Eventually.True(() => other.Client.Count("lease", "#=key") == 1, "it asks");
        held.SetResult();
        Assert.Equal("new", await reading);
        Assert.Equal("new", await one.Get("key", "never", "t"));
    }

    [Fact]
    public async Task Where_the_version_cannot_be_read_the_entry_is_neither_used_nor_removed()
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("warm", "old", "t");
        Assert.Equal("old", await other.Peek("warm"));
        await one.Parts.Tags.InvalidateAsync("t");
        await one.Set("key", "new", "t");
        other.Client.Before = static (_, key) =>
            key == "#@t"
                ? OperationResult.Failed(
                    new OperationFailure(MemcachedFailureReason.Unavailable, new NodeCounters("mc1:11211"), WasSent: false))
                : null;
        Assert.Equal("own", await other.Get("key", "own", "t"));
        Assert.Equal("new", await New().Get("key", "never", "t"));
        other.Client.Before = null;
        other.Pass(2);
        Assert.Equal("new", await other.Get("key", "never", "t"));
    }

    [Fact]
    public async Task A_version_that_arrives_after_an_entry_with_it_was_refused_is_believed()
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("warm", "old", "t");
        Assert.Equal("old", await other.Peek("warm"));
        var held = new TaskCompletionSource();
        one.Client.Hold = (verb, key) => verb == "set" && key == "#@t" ? held.Task : Task.CompletedTask;
        Task invalidating = one.Parts.Tags.InvalidateAsync("t");
        await one.Set("first", "early", "t");
        Assert.Equal("own", await other.Get("first", "own", "t"));
        held.SetResult();
        await invalidating;
        await one.Set("second", "new", "t");
        Assert.Equal("new", await other.Get("second", "never", "t"));
        Assert.Equal(one.Parts.TagTable.Of("t").Current, other.Parts.TagTable.Of("t").Current);
    }

    [Fact]
    public async Task An_entry_whose_version_is_nobodys_costs_one_read_of_it_and_none_later()
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("warm", "old", "t");
        Assert.Equal("old", await other.Peek("warm"));
        string[] keys = [.. Enumerable.Range(0, 50).Select(static i => "key" + i)];
        HybridRig stranger = New();
        stranger.Client.Before = static (verb, key) =>
            verb is "get" && key == "#@t"
                ? OperationResult.Failed(
                    new OperationFailure(MemcachedFailureReason.Unavailable, new NodeCounters("mc1:11211"), WasSent: false))
                : null;
        foreach (string key in keys)
        {
            await stranger.Set(key, "planted", "t");
        }

        int before = other.Client.Count("get", "#@t");
        var held = new TaskCompletionSource();
        other.Client.Hold = (verb, key) => verb == "get" && key == "#@t" ? held.Task : Task.CompletedTask;
        Task<string?>[] reads = [.. keys.Select(other.Peek)];
        await Eventually.True(() => keys.All(key => other.Client.Count("get", "#=" + key) == 1), "all have read their entries");
        held.SetResult();
        Assert.All(await Task.WhenAll(reads), Assert.Null);
        Assert.InRange(other.Client.Count("get", "#@t") - before, 1, 3);

        // Nobody has removed them; but by now the version cannot be on its way any more.
        other.Client.Hold = null;
        other.Pass(6);
        foreach (string key in keys)
        {
            Assert.Null(await other.Peek(key));
        }

        before = other.Client.Count("get", "#@t");
        foreach (string key in keys)
        {
            Assert.Null(await other.Peek(key));
        }

        Assert.Equal(0, other.Client.Count("get", "#@t") - before);
    }

    [Fact]
    public async Task An_entry_is_left_alone_when_its_tag_is_forgotten_while_it_is_judged()
    {
        HybridRig one = New();
        HybridRig other = New();
        await one.Set("warm", "old", "t");
        Assert.Equal("old", await other.Peek("warm"));
        await one.Parts.Tags.InvalidateAsync("t");
        await one.Set("key", "new", "t");
        TagState state = other.Parts.TagTable.Of("t");
        var held = new TaskCompletionSource();
        other.Client.Hold = (verb, key) => verb == "get" && key == "#@t" ? held.Task : Task.CompletedTask;
        Task<string> reading = other.Get("key", "own", "t");
        await Eventually.True(() => other.Client.Count("get", "#@t") == 2, "it asks again");
        byte[] version = _model.Get("#@t", this).Value!;
        state.Retire(TagVersion.Create(_model.Time));
        held.SetResult();
        Assert.Equal("own", await reading);
        Assert.Equal("new", await one.Get("key", "never", "t"));
        Assert.Equal(version, _model.Get("#@t", this).Value);
    }

    private HybridRig New(Action<MemcachedHybridCacheOptions>? configure = null)
    {
        var rig = new HybridRig(_model, configure);
        _rigs.Add(rig);
        return rig;
    }
}
